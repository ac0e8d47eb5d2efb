"""What every agent of this folder is given: whom to ask, how to start the server, and the user's words."""

import json
import os
from typing import Any

ORIGIN = os.environ["KOLORS_MODEL_ORIGIN"]
"""Of the model."""
SERVER: dict[str, Any] = json.loads(os.environ["KOLORS_SERVER"])
"""`command`, `args` and `env`."""
ASKED = "Show me how this garment looks on this person."
