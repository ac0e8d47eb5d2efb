const at = (id) => document.getElementById(id);
const FACTS = JSON.parse(at("facts").textContent);
const code = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
const say = (key, values = {}) => TEXTS[code][key].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
const tell = (key, values) => { at("said").textContent = say(key, values); };
let photo = null;

document.documentElement.lang = code === "zh" ? "zh-CN" : "en";
document.title = say("title");
for (const element of document.querySelectorAll("[data-text]")) element.textContent = say(element.dataset.text);
if (FACTS.state === "open") at("form").hidden = false;
else tell(FACTS.state);
at("name").value = FACTS.name;

function choose(file) {
  if (!file) return;
  at("said").textContent = "";
  photo = file.size > FACTS.most ? null : file;
  at("send").disabled = !photo;
  if (!photo) return tell("too_large", { mb: FACTS.most / 2 ** 20 });
  URL.revokeObjectURL(at("shown").src);
  at("shown").src = URL.createObjectURL(photo);
}

// Its words are what the field is called from now on, to those who do not look.
at("shown").onload = () => { at("shown").alt = say("chosen", { name: photo.name }); at("shown").hidden = false; at("prompt").hidden = true; };
// What this browser cannot show, such as HEIC, may well be taken.
at("shown").onerror = () => { at("shown").hidden = true; at("prompt").hidden = false; at("prompt").textContent = photo.name; };
at("file").onchange = () => choose(at("file").files[0]);
document.ondragover = (event) => { event.preventDefault(); at("place").classList.add("over"); };
document.ondragleave = () => at("place").classList.remove("over");
document.ondrop = (event) => {
  event.preventDefault();
  at("place").classList.remove("over");
  choose(event.dataTransfer.files[0]);
};
document.onpaste = (event) => choose(event.clipboardData.files[0]);

at("form").onsubmit = async (event) => {
  event.preventDefault();
  const name = at("name").value.trim();
  if (!/^[\w-]{1,60}$/.test(name)) return tell("letters");
  at("send").disabled = true;
  tell("reading");
  try {
    const answer = await fetch(`${location.pathname}?${new URLSearchParams({ name })}`, { method: "PUT", body: photo });
    if (answer.ok) {
      at("form").hidden = true;
      return tell("kept", await answer.json());
    }
    const over = { 409: "used", 410: "late" }[answer.status];
    if (over) at("form").hidden = true;
    tell(over ?? "refused", { reason: (await answer.text()).trim() });
  } catch {
    tell("failed");
  }
  at("send").disabled = false;
};
