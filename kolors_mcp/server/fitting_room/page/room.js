// The room: what happens when. A paid render starts in `start` and nowhere else, and only a click leads there.

const POLL_SECONDS = 3; // how long the server waits for news in one look
const PAUSE = 700; // milliseconds between two looks
const PATIENCE = 5; // looks in a row that may fail
const RESUMED_WITHIN = 3_600_000; // milliseconds: older tasks that still run are not shown unasked

const room = { turn: 0, tryOn: null, shown: null, started: new Map(), pictureName: "" };

/** Start a try-on of the chosen photos; `fresh` pays although the same was rendered before. */
async function start(fresh = false, chosen = { ...photos }) {
  const turn = ++room.turn;
  const since = Date.now();
  const before = chosen.human_image.src;
  lock(true);
  showProgress("starting", since, before);
  at("stage-title").focus();
  const sent = Object.fromEntries(Object.entries(chosen).map(([what, photo]) => [what, photo.uri]));
  let tryOn;
  try {
    tryOn = await host.ask("start_try_on", { ...sent, new_render: fresh });
  } catch (error) {
    lock(false);
    return notStarted(error, chosen);
  }
  lock(false);
  room.started.set(tryOn.task_id, { chosen, before, since });
  host.tellModel(`Fitting room: the user started try-on ${tryOn.task_id}${worn(chosen)}; do not create it again.`);
  await follow(tryOn, turn);
}

/** Return the reference of a create that may have been paid for, if an error names one. */
function referenceIn(text) {
  return /"(k-[0-9a-f]+)"/.exec(text)?.[1];
}

/** Say why there is no try-on. Starting again with the same photos joins a task that does exist, and pays nothing. */
function notStarted(error, chosen) {
  const reference = referenceIn(error.message);
  const doubtful = Boolean(reference) || !error.told;
  showTrouble(
    say(doubtful ? "in_doubt" : "not_started"),
    error.message,
    doubtful ? say("doubt_hint") : "",
    say(doubtful ? "look_again" : "retry"),
    () => (reference ? look(reference) : start(false, chosen)),
  );
}

/** Look at a try-on by its id or reference, and stay with it until it is finished. */
async function look(id) {
  const turn = ++room.turn;
  const known = room.started.get(id);
  showProgress("processing", known?.since ?? Date.now(), known?.before);
  at("stage-title").focus();
  await follow({ task_id: id, status: "processing" }, turn);
}

/** Follow a try-on to its end, unless the user turns to another one meanwhile. */
async function follow(tryOn, turn) {
  let failures = 0;
  const { reused, status: first } = tryOn;
  const known = room.started.get(tryOn.task_id);
  while (turn === room.turn && !["succeed", "failed"].includes(tryOn.status)) {
    const since = known?.since ?? (Date.parse(tryOn.created_at) || stage.since);
    showProgress(tryOn.status, since, known?.before);
    await new Promise((resolve) => setTimeout(resolve, PAUSE * 2 ** failures));
    try {
      tryOn = await host.ask("get_try_on", { task_id: tryOn.task_id, wait_seconds: POLL_SECONDS });
      failures = 0;
    } catch (error) {
      if (turn !== room.turn) return;
      if (++failures >= PATIENCE) {
        const id = tryOn.task_id;
        return showTrouble(say("lost"), error.message, say("lost_hint"), say("look_again"), () => look(id));
      }
      announce(say("retrying"));
    }
  }
  if (turn !== room.turn) return;
  if (at("room").dataset.mode === "room" && (known || tryOn.status !== first)) showWall();
  await finish({ ...tryOn, reused }, turn);
}

/** Show how a try-on ended, and tell the model. */
async function finish(tryOn, turn) {
  const known = room.started.get(tryOn.task_id);
  room.tryOn = tryOn;
  if (tryOn.status === "failed") {
    const reason = tryOn.status_message || say("no_reason");
    host.tellModel(`Fitting room: try-on ${tryOn.task_id}${worn(known?.chosen)} failed: ${plain(reason, 200)}`);
    const again = known && (() => start(false, known.chosen));
    const label = `${say("again_after_failure")} (${say(FACTS.sandbox ? "again_free" : "again_price")})`;
    return showTrouble(say("failed"), reason, say("failed_hint"), label, again);
  }
  const image = tryOn.images[0];
  const link = image ? linkOf(image) : "no picture";
  host.tellModel(`Fitting room: the user looks at try-on ${tryOn.task_id}${worn(known?.chosen)}, finished: ${link}`);
  await showPicture(tryOn, image, known, turn);
}

function linkOf(image) {
  const until = image.expires_at ? ` (kept until ${image.expires_at})` : "";
  return image.expired ? "its link has expired" : `${image.url}${until}`;
}

async function showPicture(tryOn, image, known, turn) {
  const look_again = () => showFinished(tryOn);
  if (!image) return showTrouble(say("succeed"), say("no_picture_shown"), "", say("look_again"), () => look(tryOn.task_id));
  at("stage-title").textContent = say("loading");
  try {
    room.shown = await pictureOf(tryOn, image);
  } catch (error) {
    const reason = say("no_picture_shown", { reason: error.message });
    return turn === room.turn && showTrouble(say("succeed"), reason, expiryOf(image), say("look_again"), look_again);
  }
  if (turn !== room.turn) return;
  at("again").hidden = !known;
  const { full } = room.shown;
  const remarks = () => [...(tryOn.reused ? [say("reused")] : []), ...(full ? [] : [say("preview")])].join(" ");
  await showResult(room.shown, known?.before, () => [expiryOf(image), remarks()]);
}

/** Turn to a try-on from the wall or from the assistant's call. */
function showFinished(tryOn) {
  const turn = ++room.turn;
  const known = room.started.get(tryOn.task_id);
  const since = Date.parse(tryOn.created_at) || Date.now();
  showProgress(tryOn.status === "succeed" ? "loading" : tryOn.status === "failed" ? "failed" : tryOn.status, since, known?.before);
  return follow(tryOn, turn);
}

/** Name what was chosen, in words for the model. */
function worn(chosen) {
  if (!chosen) return "";
  const { human_image: person, cloth_image: garment, lower_cloth_image: lower } = chosen;
  return ` ("${garment.name}"${lower ? ` with "${lower.name}"` : ""} on "${person.name}")`;
}

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

function lock(locked) {
  at("choose").inert = locked;
  at("again").disabled = locked;
  ready(locked);
}

/** Say what is still missing, and let it be started once nothing is. */
function ready(locked = false) {
  const missing = ["human_image", "cloth_image"].filter((what) => !photos[what]);
  const same = photos.lower_cloth_image && photos.lower_cloth_image.uri === photos.cloth_image?.uri;
  at("start").disabled = locked || missing.length > 0 || Boolean(same);
  const gap = missing.length === 2 ? say("missing_both") : missing.length ? say(`missing_${missing[0]}`) : "";
  at("missing").textContent = same ? say("same", { subject: say("lower_cloth_image_subject") }) : gap;
  at("price").textContent = gap || same ? "" : say(FACTS.sandbox ? "free" : "price");
  at("missing").classList.toggle("fault", Boolean(same));
}

/** Take over the host's theme, colours and language. */
function dress(context) {
  const root = document.documentElement;
  if (context.theme) root.dataset.theme = context.theme;
  for (const [name, value] of Object.entries(context.styles?.variables ?? {})) {
    if (value) root.style.setProperty(name, value);
  }
  for (const [side, pixels] of Object.entries(context.safeAreaInsets ?? {})) {
    root.style.setProperty(`--safe-${side}`, `${pixels}px`);
  }
  const before = language.locale;
  speak(context.locale, context.timeZone);
  if (language.locale !== before) {
    stage.words?.();
    reletter();
  }
  at("again").querySelector("small").textContent = say(FACTS.sandbox ? "again_free" : "again_price");
  labelSlots();
  ready();
}

/** Show the part of the room that a tool's call is about: all of it, one try-on, or the wall. */
function enter(mode) {
  at("room").dataset.mode = mode;
  at("fresh").hidden = mode === "room";
}

function received({ structuredContent: answer, isError, content }) {
  if (isError) {
    const text = (content ?? []).map((part) => part.text ?? "").join(" ").replace(/^Error: /, "");
    return refused(host.context.toolInfo?.tool?.name, text);
  }
  if (answer?.task_id) {
    enter("one");
    return showFinished(answer);
  }
  if (answer?.try_ons) {
    enter("wall");
    return fillWall(answer);
  }
  // Without a try-on in the answer the arguments may name one: view_try_on answers with a picture.
  if (room.asked && at("room").dataset.mode === "one") return look(room.asked);
  return undefined;
}

/** Say why the assistant's call came to nothing, each by what it was about. */
function refused(tool, reason) {
  const reference = referenceIn(reason);
  if (tool === "create_try_on") {
    if (!reference) return showTrouble(say("not_started"), reason, "", "", null);
    return showTrouble(say("in_doubt"), reason, say("doubt_hint"), say("look_again"), () => look(reference));
  }
  if (MODES[tool] === "one") return showTrouble(say("lost"), reason, "", "", null);
  if (MODES[tool] === "wall") noList(reason);
  return undefined;
}

const MODES = { create_try_on: "one", get_try_on: "one", view_try_on: "one", list_try_ons: "wall" };

async function main() {
  at("simulated").hidden = !FACTS.sandbox;
  buildSlots(() => ready());
  buildStage();
  buildWall(showFinished);
  speak();
  dress({});
  at("start").onclick = () => start();
  at("again").onclick = () => start(true, room.started.get(room.tryOn.task_id).chosen);
  at("save").onclick = save;
  at("open").onclick = open;
  at("fresh").onclick = () => {
    enter("room");
    slots.human_image.part(".pick").focus();
    showWall();
  };
  host.on("ui/notifications/tool-input", ({ arguments: given }) => (room.asked = given?.task_id));
  host.on("ui/notifications/tool-result", received);
  host.on("ui/notifications/tool-cancelled", () => {
    if (at("room").dataset.mode === "one") showTrouble(say("cancelled"), say("lost_hint"), "", "", null);
    else alarm(say("cancelled"));
  });
  host.on("ui/notifications/host-context-changed", (changed) => dress(Object.assign(host.context, changed)));
  await host.connect();
  dress(host.context);
  const tool = host.context.toolInfo?.tool?.name;
  enter(MODES[tool] ?? "room");
  if (MODES[tool] === "one") showProgress(tool === "create_try_on" ? "starting" : "loading", Date.now());
  const box = document.documentElement;
  new ResizeObserver(() => {
    const { width, height } = box.getBoundingClientRect();
    host.notify("ui/notifications/size-changed", { width: Math.ceil(width), height: Math.ceil(height) });
  }).observe(box);
  if (at("room").dataset.mode === "room") await resume();
}

/** Show the wall, and go on with the newest try-on that still runs, if the user has not begun another. */
async function resume() {
  const turn = room.turn;
  const running = (await showWall()).find(
    (tryOn) =>
      ["submitted", "processing"].includes(tryOn.status) &&
      tryOn.reference &&
      Date.now() - Date.parse(tryOn.created_at) < RESUMED_WITHIN,
  );
  if (running && turn === room.turn && at("room").dataset.mode === "room") showFinished(running);
}

main();
