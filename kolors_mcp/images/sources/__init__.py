"""Where pictures come from: links, files and bytes inside the call, each guarded, none of them judged as a picture."""
