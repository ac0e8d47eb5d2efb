"""Pictures: any photo a person has, made fit for Kling, and nothing but the photo leaves this machine.

The door is `kolors_mcp.images.pictures.Pictures`; import it on first use. Pillow is imported later still, by the
modules that decode, so that a picture that already fits never waits for it.
"""
