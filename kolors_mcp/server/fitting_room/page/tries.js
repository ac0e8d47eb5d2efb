// One try-on from the click to its picture. A paid render starts in `send` and nowhere else, and only a click leads there.

const POLL_SECONDS = 3; // how long the server waits for news in one look
const PAUSE = 700; // milliseconds between two looks
const MAX_FAILURES = 5; // looks in a row that may fail
const BUSY_SECONDS = 25; // how long each of several waits for a place on an account that has few

// `started` has what try-ons were made of, by task: the photos, when it began, and when it ended, as far as seen here.
const room = { turn: 0, tryOn: null, shown: null, started: new Map(), together: [] };

/** Start a try-on of the chosen photos; `fresh` pays although the same was rendered before. */
async function start(fresh = false, chosen = { ...photos }) {
  const turn = ++room.turn;
  lock(true);
  turnTo(null);
  showProgress("starting", Date.now(), chosen.human_image.src);
  at("stage-title").focus();
  let tryOn;
  try {
    tryOn = await send(chosen, fresh);
    tellStarted([tryOn]);
  } catch (error) {
    lock(false);
    return notStarted(error, chosen);
  }
  lock(false);
  countMoney();
  await follow(tryOn, turn);
}

/** Send photos to be tried on, which is what costs; `waiting` seconds for a place, where the account has none free. */
async function send(chosen, fresh, waiting = 0) {
  const since = Date.now();
  const sent = Object.fromEntries(Object.entries(chosen).map(([what, photo]) => [what, photo.uri]));
  const label = lookOf(chosen);
  if (label) sent.label = label;
  if (waiting) sent.wait_seconds = waiting;
  const tryOn = await host.ask("start_try_on", { ...sent, new_render: fresh });
  room.started.set(tryOn.task_id, { chosen, since });
  return tryOn;
}

/** Tell the model what was started. Each line takes the place of the one before, so several are told in one. */
function tellStarted(tryOns) {
  room.together = tryOns.map(({ task_id }) => task_id);
  const each = tryOns.map(({ task_id }) => `${task_id}${worn(room.started.get(task_id).chosen)}`).join(", ");
  const [what, it] = tryOns.length > 1 ? ["try-ons", "them"] : ["try-on", "it"];
  host.tellModel(`Fitting room: the user started ${what} ${each}; do not create ${it} again.`);
}

/** Return a sentence for the model about what was started by the same click. */
function startedWith({ task_id }) {
  const others = room.together.includes(task_id) ? room.together.filter((other) => other !== task_id) : [];
  return others.length ? `. Started with it: ${others.join(", ")}` : "";
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
  showProgress("processing", known?.since ?? Date.now(), known?.chosen.human_image.src);
  at("stage-title").focus();
  await follow({ task_id: id, status: "processing" }, turn);
}

/** Follow a try-on to its end, unless the user turns to another one meanwhile. */
async function follow(tryOn, turn) {
  let failures = 0;
  const { reused, status: first } = tryOn;
  const known = room.started.get(tryOn.task_id);
  turnTo(tryOn);
  while (turn === room.turn && !isFinal(tryOn)) {
    const since = known?.since ?? (Date.parse(tryOn.created_at) || stage.since);
    const message = tryOn.status_message;
    showProgress(tryOn.status, since, known?.chosen.human_image.src, () => (failures ? say("outage") : standing(message)));
    await new Promise((resolve) => setTimeout(resolve, PAUSE * 2 ** failures));
    try {
      tryOn = await host.ask("get_try_on", { task_id: tryOn.task_id, wait_seconds: POLL_SECONDS });
      failures = 0;
    } catch (error) {
      if (turn !== room.turn) break;
      if (++failures >= MAX_FAILURES) {
        const id = tryOn.task_id;
        if (known) known.ended ??= Date.now(); // as far as this page can tell; starting it again joins it
        return showTrouble(say("lost"), error.message, say("lost_hint"), say("look_again"), () => look(id));
      }
      announce(say("outage"));
    }
  }
  // A user who turns to another one finds this one finished on the wall.
  if (turn !== room.turn) return void (known && watch(tryOn));
  if (at("room").dataset.mode === "room" && (known || tryOn.status !== first)) showWall();
  await finish({ ...tryOn, reused }, turn);
}

/** Show how a try-on ended, and tell the model. */
async function finish(tryOn, turn) {
  const known = room.started.get(tryOn.task_id);
  if (known) known.ended ??= Date.now();
  turnTo(tryOn);
  if (tryOn.status === "failed") {
    const reason = tryOn.status_message || say("no_reason");
    host.tellModel(`Fitting room: try-on ${tryOn.task_id}${worn(known?.chosen)} failed: ${plain(reason, 200)}${startedWith(tryOn)}`);
    // What would fail again is not offered again.
    const again = known && !inWords(reason).final && (() => start(false, known.chosen));
    const label = `${say("again_after_failure")} (${say(FACTS.sandbox ? "again_free" : "again_price")})`;
    const advice = `${costOf(tryOn)} ${say(again ? "failed_hint" : "other_photos")}`;
    return showTrouble(say("failed"), reason, advice, label, again);
  }
  const image = tryOn.images[0];
  const link = image ? linkOf(image) : "no picture";
  host.tellModel(`Fitting room: the user looks at try-on ${tryOn.task_id}${worn(known?.chosen)}, finished: ${link}${startedWith(tryOn)}`);
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
    [room.shown, known] = await Promise.all([pictureOf(tryOn, image), known ?? learned(tryOn)]);
  } catch (error) {
    const reason = say("no_picture_shown", { reason: error.message });
    return turn === room.turn && showTrouble(say("succeed"), reason, expiryOf(image), say("look_again"), look_again);
  }
  if (turn !== room.turn) return;
  turnTo(tryOn);
  at("again").hidden = at("another").hidden = !known;
  const { full } = room.shown;
  const remarks = () => [...(tryOn.reused ? [say("reused")] : []), ...(full ? [] : [say("preview")])].join(" ");
  await showResult(room.shown, known?.chosen.human_image.src, () => [nameOf(tryOn), expiryOf(image), remarks()]);
}

/**
 * Learn what a try-on of the assistant, or of an earlier view, was made of. The server remembers it for a while; then
 * its photos are named by their addresses, and need not be sent again.
 */
async function learned({ task_id, label }) {
  const roles = { human_image: "person", cloth_image: "garment", lower_cloth_image: "lower" };
  const found = Object.entries(roles).map(async ([what, role]) => [what, await checked(`tryon://${task_id}/${role}`, what)]);
  const photosOf = (await Promise.allSettled(found)).filter(({ value }) => value).map(({ value }) => value);
  const chosen = Object.fromEntries(photosOf);
  if (!chosen.human_image || !chosen.cloth_image) return undefined;
  if (label) chosen.cloth_image.name = plain(label, 60);
  const known = { chosen, since: Date.now(), ended: 0 };
  room.started.set(task_id, known);
  return known;
}

/** Turn to a try-on from the wall or from the assistant's call. */
function showFinished(tryOn) {
  const turn = ++room.turn;
  const known = room.started.get(tryOn.task_id);
  const since = Date.parse(tryOn.created_at) || Date.now();
  const step = tryOn.status === "succeed" ? "loading" : tryOn.status;
  showProgress(step, since, known?.chosen.human_image.src);
  return follow(tryOn, turn);
}

/** Name what was chosen, in words for the model. */
function worn(chosen) {
  if (!chosen) return "";
  const { human_image: person, cloth_image: garment, lower_cloth_image: lower } = chosen;
  return ` ("${garment.name}"${lower ? ` with "${lower.name}"` : ""} on "${person.name}")`;
}

/** Return what people call a try-on: the garment that is worn in it; "" where it was not said what that is. */
function nameOf(tryOn) {
  const chosen = room.started.get(tryOn.task_id)?.chosen;
  return tryOn.label ? plain(tryOn.label, 60) : chosen ? lookOf(chosen) : "";
}

/** Name a look by its garments' photos; "" where their names say nothing. */
function lookOf(chosen) {
  const garments = ["cloth_image", "lower_cloth_image"].filter((what) => chosen[what] && chosen[what].name !== say(what));
  return plain(garments.map((what) => called(chosen[what])).join(" + "), 60);
}

/** A photo's name without what only computers need: "red_dress.jpg" is a red dress. */
function called({ name }) {
  const bare = name.replace(/\.\w{2,4}$/, "");
  return bare === name ? name : bare.replace(/[_-]+/g, " ").trim() || name;
}
