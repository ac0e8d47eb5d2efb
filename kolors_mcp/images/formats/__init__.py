"""What bytes are as a picture, told from their structure alone: nothing here decodes, and nothing needs Pillow."""
