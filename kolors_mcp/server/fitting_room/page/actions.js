// What can be done with a finished picture.

/** Hand the picture to the host to be saved; a host that cannot may let the page do it. */
async function save() {
  const { data, type, src, full } = room.shown;
  const { task_id, images } = room.tryOn;
  const name = `try-on-${task_id}-${images[0].index}.${type === "image/png" ? "png" : "jpg"}`;
  if (!host.capabilities.downloadFile) {
    const link = document.createElement("a");
    [link.href, link.download] = [src, name];
    link.click();
    return announce(say("saved"));
  }
  const whole = { type: "resource", resource: { uri: `file:///${name}`, mimeType: type, blob: data } };
  const linked = { type: "resource_link", uri: images[0].url, name, mimeType: type };
  try {
    const answer = await host.request("ui/download-file", { contents: [full ? whole : linked] });
    if (answer.isError) throw new Trouble("");
    announce(say("saved"));
  } catch (error) {
    at("remark").textContent = say("save_failed", { reason: error.message });
    alarm(at("remark").textContent);
  }
}

async function open() {
  const { url } = room.tryOn.images[0];
  try {
    if ((await host.request("ui/open-link", { url })).isError) throw new Trouble("");
  } catch {
    at("link").textContent = `${say("open_failed")} ${url}`;
    at("link").hidden = false;
  }
}

/** Put a person into the panel, and ask for the next garment. */
function wearMore(person) {
  if (at("room").dataset.mode !== "room") showWall();
  enter("room");
  usePhotos({ human_image: person });
  ready();
  announce(say("next_garment"));
  slots.cloth_image.part(".pick").focus();
}

function buildActions() {
  at("save").onclick = save;
  at("open").onclick = open;
  at("again").onclick = () => start(true, room.started.get(room.tryOn.task_id).chosen);
  at("another").onclick = () => wearMore(room.started.get(room.tryOn.task_id).chosen.human_image);
  at("over").onclick = () => {
    const { task_id, images } = room.tryOn;
    const name = nameOf(room.tryOn) || say("result");
    wearMore({ uri: `tryon://${task_id}/images/${images[0].index}`, src: room.shown.src, name, note: say("result_note") });
  };
  at("agree").onclick = () => {
    usePhotos(room.started.get(room.tryOn.task_id).chosen);
    ready();
    slots.human_image.part(".pick").focus();
  };
}
