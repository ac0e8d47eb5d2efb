// What a host does with files that a view hands over to be saved.

/** Save what the view hands over; what it only names is opened. */
export function saved(contents) {
  for (const { resource, uri } of contents) {
    if (!resource) {
      window.open(uri, "_blank", "noopener");
      continue;
    }
    const link = document.createElement("a");
    link.download = resource.uri.split("/").pop();
    link.href = `data:${resource.mimeType};base64,${resource.blob}`;
    link.click();
  }
}
