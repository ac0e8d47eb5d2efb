// Choosing photos: three places that take a dropped, pasted, picked or fresh photo.

const PLACES = {
  human_image: "M12 4.5a3 3 0 1 1-.01 0M5.5 20c.4-4.6 2.6-7 6.5-7s6.100 2.400 6.500 7z",
  cloth_image: "M8.500 4L3 7.500l2 4.500 2.500-1V20h9v-9l2.500 1 2-4.500L15.500 4c-.7 1.500-2 2.200-3.500 2.200S9.200 5.500 8.500 4z",
  lower_cloth_image: "M7 4h10l1.500 16h-4.500L12 10 10 20H5.500z",
};

const slots = {};
const photos = {};
const readings = {}; // counts each place's readings, so that a slow one never overwrites a later one

/** Build the places; `changed` is called whenever a photo came or went. */
function buildSlots(changed) {
  for (const [what, drawing] of Object.entries(PLACES)) {
    const slot = document.getElementById("slot").content.firstElementChild.cloneNode(true);
    const part = (selector) => slot.querySelector(selector);
    const [picker, shooter] = slot.querySelectorAll("input[type=file]");
    slot.dataset.what = what;
    picker.multiple = what === "cloth_image";
    part(".pick path").setAttribute("d", drawing);
    part(".pick").onclick = () => picker.click();
    part(".shoot").onclick = () => shoot(what, shooter);
    part(".by-link").onclick = () => {
      part(".link").hidden = !part(".link").hidden;
      part(".link input").focus();
    };
    part(".link button").onclick = () => giveLink(what);
    part(".link input").onkeydown = ({ key }) => key === "Enter" && giveLink(what);
    part(".turn").onclick = () => give(what, photos[what].file, (photos[what].turns + 1) % 4);
    part(".remove").onclick = () => {
      forget(what);
      announce(say("removed", { what: say(what) }));
      part(".pick").focus();
    };
    for (const input of [picker, shooter]) {
      shooter.setAttribute("capture", what === "human_image" ? "user" : "environment");
      input.onchange = () => {
        share([...input.files], what);
        input.value = "";
      };
    }
    slot.addEventListener("dragover", () => slot.classList.add("over"));
    slot.addEventListener("dragleave", () => slot.classList.remove("over"));
    slots[what] = { slot, part, changed };
    document.getElementById("slots").append(slot);
  }
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", dropped);
  document.addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files];
    const text = event.clipboardData.getData("text/plain").trim();
    const typing = event.target instanceof HTMLInputElement;
    if (!files.length && (typing || !isLink(text))) return;
    share(files.length ? files : [text], document.activeElement?.closest(".slot")?.dataset.what);
  });
}

/** Write the words of the places; called again when the language changes. */
function labelSlots() {
  for (const [what, { slot, part }] of Object.entries(slots)) {
    const photo = photos[what];
    slot.setAttribute("aria-label", say(what));
    slot.classList.toggle("filled", Boolean(photo));
    part(".name").textContent = say(what);
    part(".hint").textContent = say(`${what}_hint`);
    if (photo) part(".pick").setAttribute("aria-label", say("replace", { what: say(what) }));
    else part(".pick").removeAttribute("aria-label"); // its own words are its name
    part(".caption").replaceChildren(...(photo ? [line("file", photo.name), line("dot", " · "), line("size", photo.note)] : []));
    part("img").hidden = !photo?.src;
    if (photo?.src) part("img").src = photo.src;
    part("img").alt = photo ? say(what) : "";
    part(".turn").hidden = !photo?.file || !photo.src;
    part(".by-link").hidden = Boolean(photo);
    if (photo) part(".link").hidden = true;
    part(".remove").hidden = !photo;
    part(".keep").hidden = !photo;
    part(".shoot").hidden = Boolean(photo) || !(cameraAllowed() || matchMedia("(pointer: coarse)").matches);
  }
}

function dropped(event) {
  event.preventDefault();
  for (const { slot } of Object.values(slots)) slot.classList.remove("over");
  const files = [...event.dataTransfer.files];
  const [link] = event.dataTransfer.getData("text/uri-list").split(/\s/);
  if (!files.length && !isLink(link)) return;
  share(files.length ? files : [link], event.target.closest?.(".slot")?.dataset.what);
}

/** Give files to places: the first to the one aimed at, the others to what is still empty. */
function share(files, aimed) {
  if (document.getElementById("choose").inert) return;
  // Several for the garment's place are several garments, not one and a lower one.
  if (aimed === "cloth_image" && (files.length > 1 || photos.cloth_image)) {
    const first = photos.cloth_image && files.length > 1 ? null : give(aimed, files[0]);
    if (files.length > 1) Promise.resolve(first).then(() => addGarments(first ? files.slice(1) : files));
    return;
  }
  const empty = Object.keys(PLACES).filter((what) => !photos[what] && what !== aimed);
  const places = aimed ? [aimed, ...empty] : empty;
  files.forEach((file, number) => places[number] && give(places[number], file));
  if (files.length > places.length) announce(say("too_many"));
}

async function give(what, file, turns = 0) {
  const { part, changed, slot } = slots[what];
  const mine = (readings[what] = (readings[what] ?? 0) + 1);
  slot.setAttribute("aria-busy", "true");
  part(".caption").textContent = say(typeof file === "string" ? "fetching" : "reading");
  let fault = "";
  try {
    const photo = await photoFrom(file, what, turns);
    if (mine !== readings[what]) return;
    photos[what] = photo;
    announce(say("chosen", { what: say(what), name: photo.name, size: photo.note }));
  } catch (error) {
    if (mine !== readings[what]) return;
    delete photos[what];
    fault = error.message;
    alarm(fault);
  }
  slot.removeAttribute("aria-busy");
  part(".fault").textContent = fault;
  part(".fault").hidden = !fault;
  labelSlots();
  showQueue();
  changed();
}

/** Take what was written into a place as a link. */
function giveLink(what) {
  const { part } = slots[what];
  const text = part(".link input").value.trim();
  if (isLink(text)) {
    part(".link input").value = "";
    part(".pick").focus();
    return give(what, text);
  }
  part(".fault").textContent = say("no_link");
  part(".fault").hidden = false;
  alarm(say("no_link"));
  return part(".link input").focus();
}

function forget(what) {
  const { part, changed } = slots[what];
  readings[what] = (readings[what] ?? 0) + 1;
  delete photos[what];
  part(".fault").hidden = true;
  // The next garment that waits takes its place.
  if (what === "cloth_image" && more.length) photos[what] = more.shift();
  labelSlots();
  showQueue();
  changed();
}
