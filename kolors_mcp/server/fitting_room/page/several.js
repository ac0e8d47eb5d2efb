// Several at once: garments that wait for one person, each a try-on of its own, and results beside each other.

const more = []; // garments beside the one in its place
const several = { comparing: false, chosen: new Map() };

/** Return what a click would start: a try-on for each garment; none where a photo is missing. */
function looks() {
  if (!photos.human_image || !photos.cloth_image) return [];
  return [photos.cloth_image, ...more].map((garment) => ({ ...photos, cloth_image: garment }));
}

/** Those of them that were not tried on a moment ago, which are the ones that cost. */
function newLooks() {
  return looks().filter((chosen) => !triedWith(chosen));
}

/** Add garments to those that wait. */
async function addGarments(files) {
  for (const file of files.slice(0, FACTS.mostGarments - 1 - more.length)) {
    try {
      const photo = await photoFrom(file, "cloth_image");
      if (!looks().some(({ cloth_image: garment }) => garment.uri === photo.uri)) more.push(photo);
      announce(say("chosen", { what: say("cloth_image"), name: photo.name, size: photo.note }));
    } catch (error) {
      alarm(error.message);
      slots.cloth_image.part(".fault").textContent = error.message;
      slots.cloth_image.part(".fault").hidden = false;
    }
  }
  showQueue();
  ready();
}

/** Show the garments that wait, each with a button that takes it out. */
function showQueue() {
  at("queue").hidden = !photos.cloth_image;
  const items = more.map((photo, number) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    const image = Object.assign(new Image(), { alt: "", src: photo.src ?? "" });
    button.type = "button";
    button.title = say("remove_garment", { name: photo.name });
    button.setAttribute("aria-label", button.title);
    button.append(image, line("cross", "×"));
    button.onclick = () => {
      more.splice(number, 1);
      showQueue();
      ready();
      at("add").focus();
    };
    item.append(button);
    return item;
  });
  at("waiting").replaceChildren(...items);
  at("add").disabled = more.length + 1 >= FACTS.mostGarments;
}

/** Start a try-on for each of these looks, all by the one click; the first is followed on the stage. */
async function startSeveral(list) {
  lock(true);
  const turn = ++room.turn;
  turnTo(null);
  showProgress("starting", Date.now(), list[0].human_image.src);
  at("stage-title").focus();
  const outcomes = await Promise.allSettled(list.map((chosen) => send(chosen, false, BUSY_SECONDS)));
  lock(false);
  countMoney();
  const begun = outcomes.filter(({ value }) => value).map(({ value }) => value);
  const refused = outcomes.find(({ reason }) => reason);
  if (begun.length) tellStarted(begun);
  await showWall();
  for (const tryOn of begun) watch(tryOn);
  if (refused) alarm(say("some_not_started", { number: list.length - begun.length, reason: inWords(refused.reason.message).text }));
  if (turn !== room.turn) return undefined;
  if (!begun.length) return notStarted(refused.reason, list[0]);
  return follow(begun[0], turn);
}

/** Look after a try-on that is not on the stage, until its tile has its picture. */
async function watch(tryOn) {
  let failures = 0;
  while (!isFinal(tryOn) && failures < MAX_FAILURES) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE * 2 ** failures));
    try {
      tryOn = await host.ask("get_try_on", { task_id: tryOn.task_id, wait_seconds: POLL_SECONDS });
      failures = 0;
    } catch {
      failures += 1;
    }
  }
  const known = room.started.get(tryOn.task_id);
  if (known && isFinal(tryOn)) known.ended ??= Date.now();
  replaceTile(tryOn);
  ready();
}

function isFinal({ status }) {
  return ["succeed", "failed"].includes(status);
}

/** Choose tiles to be seen beside each other, or stop choosing. */
function compareMode(on) {
  several.comparing = on;
  several.chosen.clear();
  at("compare").setAttribute("aria-pressed", String(on));
  at("compare-hint").hidden = !on;
  for (const button of at("tiles").querySelectorAll("button")) pressTile(button, false);
}

/** A tile that is chosen for it looks and sounds pressed. */
function pressTile(button, pressed) {
  if (several.comparing) button.setAttribute("aria-pressed", String(pressed));
  else button.removeAttribute("aria-pressed");
}

/** Take a finished try-on to those that are compared, or out of them, and show them once they are two. */
function pick(tryOn, button) {
  if (tryOn.status !== "succeed" || !tryOn.images.length) return announce(say("not_to_compare"));
  const { chosen } = several;
  const id = tryOn.task_id;
  if (chosen.has(id)) chosen.delete(id);
  else if (chosen.size < FACTS.mostCompared) chosen.set(id, tryOn);
  pressTile(button, chosen.has(id));
  return chosen.size < 2 ? undefined : showBeside([...chosen.values()]);
}

/** Show results beside each other; each leads to its own place on the stage. */
async function showBeside(list) {
  const turn = ++room.turn;
  const pictures = await Promise.allSettled(list.map((tryOn) => pictureOf(tryOn, tryOn.images[0])));
  if (turn !== room.turn) return;
  const figures = list.map((tryOn, number) => {
    const button = document.createElement("button");
    const name = nameOf(tryOn) || (tryOn.created_at ? dated(tryOn.created_at, true) : tryOn.task_id);
    const { value } = pictures[number];
    if (value) button.append(Object.assign(new Image(), { alt: "", src: value.src }));
    else button.append(line("thumb", say("state_expired")));
    button.type = "button";
    button.append(line("name", `${number + 1}. ${name}`));
    button.onclick = () => {
      compareMode(false);
      showFinished(tryOn);
    };
    return button;
  });
  at("beside").replaceChildren(...figures);
  stage.words = () => (at("stage-title").textContent = say("side_by_side"));
  face("beside", say("side_by_side"), say("beside_said", { number: list.length }));
}

function buildSeveral() {
  at("add").onclick = () => at("adder").click();
  at("adder").onchange = () => {
    addGarments([...at("adder").files]);
    at("adder").value = "";
  };
  at("compare").onclick = () => compareMode(!several.comparing);
}
