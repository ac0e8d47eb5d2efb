// The stage: one try-on from its start to its picture, with the slider, the zoom and what can be done next.

const ZOOMS = [1, 1.5, 2, 3];
const stage = { zoom: 0, ticking: 0, since: 0, words: null }; // `words` writes what is shown anew, in another language
const at = (id) => document.getElementById(id);

/** Say a line to those who listen instead of looking. */
function announce(text) {
  at("live").textContent = text;
}

/** The same, at once. */
function alarm(text) {
  at("alarm").textContent = "";
  requestAnimationFrame(() => (at("alarm").textContent = text));
}

/** Show one of the stage's faces, "progress", "trouble", "result" or "beside", and say its title or what else is `said`. */
function face(name, title, said = title) {
  at("stage").hidden = false;
  at("room").dataset.stage = "on";
  for (const each of ["progress", "trouble", "result", "beside"]) at(each).hidden = each !== name;
  at("actions").hidden = name !== "result";
  at("link").hidden = true;
  if (at("stage-title").textContent !== title) {
    at("stage-title").textContent = title;
    announce(said);
  }
  if (name !== "progress") {
    clearInterval(stage.ticking);
    at("elapsed").textContent = "";
  }
}

/** Show that a try-on is under way since `since` (milliseconds of the clock), with the person's photo behind it. */
function showProgress(step, since, photo, hint = () => "") {
  face("progress", say(step));
  stage.words = () => {
    at("stage-title").textContent = say(step);
    at("usual").textContent = hint() || say("usual");
    at("usual").classList.toggle("warning", Boolean(hint()));
    tick();
  };
  stage.since = since;
  stage.words();
  at("ghost").hidden = !photo;
  if (photo) at("ghost").src = photo;
  clearInterval(stage.ticking);
  stage.ticking = setInterval(tick, 1000);
}

function tick() {
  const seconds = Math.max(0, Math.round((Date.now() - stage.since) / 1000));
  at("elapsed").textContent = say("elapsed", { seconds });
}

/**
 * Show what went wrong, in the reader's words; `again` is what the button does. The server's own words are at hand for
 * whoever has to mend it.
 */
function showTrouble(title, reason, advice, label, again) {
  face("trouble", title);
  stage.words = null;
  const { text, detail } = inWords(reason);
  at("reason").textContent = text;
  at("advice").textContent = advice;
  at("details").hidden = !detail;
  at("detail").textContent = detail;
  at("retry").textContent = label;
  at("retry").hidden = !again;
  at("retry").onclick = again;
  alarm(`${title}. ${text}`);
}

/**
 * Show a finished picture, whole, with the photo from before under the slider if that is at hand. `told` gives what is
 * worn in it, how long it is kept, and what else there is to say.
 */
async function showResult(shown, before, told) {
  at("after").src = shown.src;
  await at("after").decode().catch(() => undefined);
  at("sheet").style.setProperty("--shape", at("after").naturalWidth / at("after").naturalHeight || 0.75);
  for (const id of ["earlier", "edge", "slider"]) at(id).hidden = !before;
  at("frame").classList.toggle("compared", Boolean(before));
  if (before) at("earlier").src = before;
  stage.words = () => {
    const [name, expiry, remark] = told();
    at("stage-title").textContent = name || say("succeed");
    at("after").alt = name ? say("picture_of", { name }) : say("picture_alt");
    at("earlier").alt = say("before_alt");
    [at("expiry").textContent, at("remark").textContent] = [expiry, remark];
    slide(at("slider").value);
  };
  const [name] = told();
  face("result", name || say("succeed"), name ? `${say("succeed")}: ${name}` : say("succeed"));
  at("slider").value = 0;
  stage.words();
  zoom(0);
  at("frame").classList.toggle("sweeping", Boolean(before));
}

/** Show so many percent of the photo from before. */
function slide(value) {
  at("slider").value = value;
  at("frame").style.setProperty("--cut", `${value}%`);
  at("frame").classList.toggle("whole", Number(value) === 0);
  at("frame").classList.toggle("less", value < 15);
  at("frame").classList.toggle("most", value > 85);
  at("slider").setAttribute("aria-valuetext", say("compared", { percent: 100 - value }));
}

function zoom(level) {
  stage.zoom = Math.min(ZOOMS.length - 1, Math.max(0, level));
  const factor = ZOOMS[stage.zoom];
  const view = at("view");
  const [x, y] = [view.scrollLeft + view.clientWidth / 2, view.scrollTop + view.clientHeight / 2];
  const grown = factor / (Number(at("sheet").style.getPropertyValue("--zoom")) || 1);
  at("sheet").style.setProperty("--zoom", factor);
  at("frame").classList.toggle("enlarged", factor > 1);
  view.scrollTo(x * grown - view.clientWidth / 2, y * grown - view.clientHeight / 2);
  at("scale").textContent = `${Math.round(factor * 100)} %`;
  at("smaller").disabled = stage.zoom === 0;
  at("larger").disabled = stage.zoom === ZOOMS.length - 1;
}

/** Let an enlarged picture be dragged about. */
function draggable(view) {
  let from = null;
  view.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch" || stage.zoom === 0) return;
    from = { x: event.clientX + view.scrollLeft, y: event.clientY + view.scrollTop };
    view.setPointerCapture(event.pointerId);
    event.preventDefault();
    view.focus();
  });
  view.addEventListener("pointermove", (event) => from && view.scrollTo(from.x - event.clientX, from.y - event.clientY));
  for (const end of ["pointerup", "pointercancel"]) view.addEventListener(end, () => (from = null));
}

function buildStage() {
  at("slider").oninput = () => {
    at("frame").classList.remove("sweeping");
    slide(Number(at("slider").value));
  };
  at("frame").onanimationend = () => at("frame").classList.remove("sweeping");
  at("smaller").onclick = () => zoom(stage.zoom - 1);
  at("larger").onclick = () => zoom(stage.zoom + 1);
  at("frame").ondblclick = () => zoom(stage.zoom ? 0 : 2);
  draggable(at("view"));
}
