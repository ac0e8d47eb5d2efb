// Photos kept for the assistant: by a name, on this machine, until they are removed here.

const KEPT_NAME = /^[\w-]{1,60}$/;
const kept = { list: [], what: null };

function buildKept() {
  for (const [what, { part }] of Object.entries(slots)) part(".keep").onclick = () => askName(what);
  at("keep").onclick = keepPhoto;
  at("keep-name").onkeydown = ({ key }) => {
    if (key === "Enter") keepPhoto();
    if (key === "Escape") at("keeping").close(); // some hosts keep this key from the browser
  };
  at("keep-cancel").onclick = () => at("keeping").close();
  at("keeping").onclose = () => slots[kept.what].part(".keep").focus();
}

/** Ask under which name a place's photo is to be kept; its own is proposed. */
function askName(what) {
  kept.what = what;
  const own = photos[what].name.replace(/\.\w+$/, "").replace(/[^\w-]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 60);
  at("keep-name").value = own || (what === "human_image" ? "me" : "garment");
  at("keep-fault").hidden = true;
  at("keeping").showModal();
  at("keep-name").select();
}

async function keepPhoto() {
  const name = at("keep-name").value.trim();
  const told = (fault) => {
    at("keep-fault").textContent = fault;
    at("keep-fault").hidden = !fault;
  };
  told("");
  if (!KEPT_NAME.test(name)) return told(say("keep_letters"));
  at("keep").disabled = true;
  try {
    const answer = await host.ask("keep_photo", { image: photos[kept.what].uri, name });
    at("keeping").close();
    fillKept(answer.kept);
    announce(`${say("kept_as", { path: answer.path })} ${say("kept_say", { path: answer.path })}`);
    host.tellModel(`Fitting room: the user keeps a photo as ${answer.path}; give that as a picture when they ask for it.`);
  } catch (error) {
    told(error.message);
  } finally {
    at("keep").disabled = false;
  }
}

/** Show which photos are kept; where the host does not let the page ask, nothing is shown. */
async function showKept() {
  try {
    fillKept((await host.ask("list_pictures", { query: "photo:" })).kept);
  } catch {
    at("kept").hidden = true;
  }
}

function fillKept(list) {
  kept.list = list;
  labelKept();
}

/** Write the list of kept photos; called again when the language changes. */
function labelKept() {
  at("kept").hidden = !kept.list.length;
  at("kept-say").textContent = kept.list.length ? say("kept_say", { path: kept.list[0].path }) : "";
  at("kept-list").replaceChildren(...kept.list.map(({ path }) => {
    const row = at("kept-row").content.firstElementChild.cloneNode(true);
    row.querySelector("code").textContent = path;
    const button = row.querySelector("button");
    button.setAttribute("aria-label", say("kept_remove", { path }));
    button.title = button.getAttribute("aria-label");
    button.onclick = () => removeKept(path);
    return row;
  }));
}

async function removeKept(path) {
  try {
    const answer = await host.ask("remove_photo", { name: path.slice("photo:".length) });
    fillKept(answer.kept);
    announce(say("kept_removed", { path }));
    host.tellModel(`Fitting room: the user has removed ${path}; it cannot be used any more.`);
    (at("kept-list").querySelector("button") ?? slots.human_image.part(".pick")).focus();
  } catch (error) {
    alarm(error.message);
  }
}
