// The room: what it shows when, by what the host says and what the user's assistant has called.

const RESUMED_WITHIN = 3_600_000; // milliseconds: older tasks that still run are not shown unasked

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
  labelKept();
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
  buildKept();
  buildStage();
  buildWall(showFinished);
  speak();
  dress({});
  buildActions();
  buildSamples();
  buildSeveral();
  at("start").onclick = () => {
    const list = newLooks();
    return list.length > 1 ? startSeveral(list) : start(false, list[0] ?? looks()[0]);
  };
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
  if (at("room").dataset.mode !== "room") return;
  showKept();
  countMoney();
  await resume();
}

/** Offer photos to try with, where there are some. */
function buildSamples() {
  const { person, upper, lower, dress } = FACTS.samples;
  if (!person) return;
  const looks = { sample_upper: [upper], sample_dress: [dress], sample_lower: [lower], sample_pair: [upper, lower] };
  at("samples").hidden = false;
  for (const [text, [garment, below]] of Object.entries(looks)) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.text = text;
    button.onclick = () => {
      usePhotos({});
      give("human_image", { path: person, name: say("human_image") });
      give("cloth_image", { path: garment, name: say(below ? "sample_upper" : text) });
      if (below) give("lower_cloth_image", { path: below, name: say("sample_lower") });
    };
    at("samples").append(button);
  }
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
