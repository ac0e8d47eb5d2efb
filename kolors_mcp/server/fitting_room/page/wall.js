// The wall: the recent try-ons with their states and expiry dates; pictures are fetched when they come into sight.

const PAGE_SIZE = 12;
const wall = { page: 0, rows: [], thumbs: new Map(), queue: Promise.resolve(), choose: null };

const inSight = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    inSight.unobserve(target);
    wall.queue = wall.queue.then(() => hang(target)).catch(() => target.querySelector(".thumb").append(signOf("expired")));
  }
});

/** List the newest try-ons anew and return them; an empty list if they cannot be had. */
async function showWall() {
  at("refresh").disabled = true;
  try {
    const page = await host.ask("list_try_ons", { page_num: 1, page_size: PAGE_SIZE });
    fillWall(page);
    return rowsOf(page);
  } catch (error) {
    noList(error.message);
    return [];
  } finally {
    at("refresh").disabled = false;
  }
}

function noList(reason) {
  at("none").textContent = say("list_failed", { reason });
  at("none").hidden = false;
}

/** Show a page of try-ons that is there already. */
function fillWall(page) {
  wall.page = page.page_num;
  wall.rows = rowsOf(page);
  reletter();
  at("none").textContent = say("none_yet");
  at("none").hidden = page.try_ons.length > 0;
  at("more").hidden = !page.has_more;
}

/** Make the tiles anew, in the language of now. */
function reletter() {
  at("tiles").replaceChildren(...wall.rows.map(tile));
  offerToCompare();
}

/** Two pictures are the least that can be compared. */
function offerToCompare() {
  at("compare").hidden = wall.rows.filter(({ status }) => status === "succeed").length < 2;
}

async function showMore() {
  at("more").disabled = true;
  try {
    const page = await host.ask("list_try_ons", { page_num: wall.page + 1, page_size: PAGE_SIZE });
    wall.page = page.page_num;
    const known = new Set(wall.rows.map((tryOn) => tryOn.task_id));
    const rows = rowsOf(page).filter((tryOn) => !known.has(tryOn.task_id));
    const added = rows.map(tile);
    wall.rows.push(...rows);
    at("tiles").append(...added);
    at("more").hidden = !page.has_more;
    added[0]?.querySelector("button").focus();
  } catch (error) {
    alarm(say("list_failed", { reason: error.message }));
  }
  at("more").disabled = false;
}

/** The try-ons of a page. What is empty is left out of them. */
function rowsOf(page) {
  return page.try_ons.map((tryOn) => ({ ...tryOn, images: tryOn.images ?? [] }));
}

function tile(tryOn) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  const date = tryOn.created_at ? dated(tryOn.created_at, true) : "";
  const gone = tryOn.images[0] && isGone(tryOn.images[0]);
  const state = say(gone ? "state_expired" : `state_${tryOn.status}`);
  const name = nameOf(tryOn);
  item.dataset.task = tryOn.task_id;
  button.type = "button";
  button.dataset.status = gone ? "expired" : tryOn.status;
  const thumb = line("thumb", "");
  const finished = tryOn.status === "succeed" && !gone;
  if (!finished) thumb.append(signOf(button.dataset.status));
  // That it is finished is seen; those who do not see it hear it.
  thumb.append(line(finished ? "state unseen" : "state", state));
  button.append(thumb);
  if (name) button.append(line("name", name));
  button.append(line("date", date));
  button.setAttribute("aria-current", String(tryOn.task_id === room.tryOn?.task_id));
  button.onclick = () => (several.comparing ? pick(tryOn, button) : wall.choose(tryOn));
  pressTile(button, several.chosen.has(tryOn.task_id));
  item.append(button);
  if (tryOn.images.length && !gone) {
    button.tryOn = tryOn;
    inSight.observe(button);
  }
  return item;
}

function line(name, text) {
  const span = document.createElement("span");
  span.className = name;
  span.textContent = text;
  return span;
}

/** The drawing in the place of a picture that is not there. */
function signOf(status) {
  const sign = document.getElementById("signs").content.querySelector(`[data-sign="${status}"], [data-sign="processing"]`);
  return sign.cloneNode(true);
}

/** Show a try-on's tile as it is now. */
function replaceTile(tryOn) {
  const number = wall.rows.findIndex(({ task_id }) => task_id === tryOn.task_id);
  if (number < 0) return;
  wall.rows[number] = tryOn;
  at("tiles").children[number]?.replaceWith(tile(tryOn));
  offerToCompare();
}

/** Mark the tile of a try-on, and no other. */
function mark(taskId) {
  for (const item of at("tiles").children) {
    item.firstElementChild.setAttribute("aria-current", String(item.dataset.task === taskId));
  }
}

/** Whether a picture cannot be had any more: Kling has removed it, and it was not kept. */
function isGone(image) {
  return !image.saved_to && (image.expired || (image.expires_at && new Date(image.expires_at) < new Date()));
}

/** Say until when Kling keeps a picture. */
function expiryOf(image) {
  if (!image.expires_at) return "";
  const gone = new Date(image.expires_at) < new Date();
  return say(gone ? "expired" : "kept_until", { date: dated(image.expires_at) });
}

/** Put the picture of a try-on into its tile, small. */
async function hang(button) {
  const { tryOn } = button;
  if (!wall.thumbs.has(tryOn.task_id)) {
    const image = new Image();
    image.src = (await pictureOf(tryOn, tryOn.images[0])).src;
    await image.decode();
    const scale = Math.min(1, 320 / image.naturalWidth);
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth * scale, image.naturalHeight * scale];
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    wall.thumbs.set(tryOn.task_id, canvas.toDataURL("image/jpeg", 0.85));
  }
  const shown = new Image();
  shown.alt = "";
  shown.src = wall.thumbs.get(tryOn.task_id);
  button.querySelector(".thumb").prepend(shown);
}

function buildWall(choose) {
  wall.choose = choose;
  at("refresh").onclick = showWall;
  at("more").onclick = showMore;
}
