// Which language the page speaks, and how it writes dates in it.
const language = { code: "en", locale: "en", timeZone: undefined };

/** Speak the language of a BCP 47 locale, or English. */
function speak(locale, timeZone) {
  language.locale = locale || navigator.language || "en";
  language.code = language.locale.toLowerCase().startsWith("zh") ? "zh" : "en";
  language.timeZone = timeZone;
  document.documentElement.lang = language.code === "zh" ? "zh-CN" : "en";
  document.title = say("title");
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = say(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) {
    const what = element.closest("[data-what]")?.dataset.what;
    element.setAttribute("aria-label", say(element.dataset.label, { what: what ? say(what) : "" }));
    element.title = element.getAttribute("aria-label");
  }
}

/** Return a text in the chosen language. */
function say(key, values = {}) {
  return TEXTS[language.code][key].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** Return a date in the reader's own writing; with `time`, the time of day instead of the year. */
function dated(iso, time = false) {
  const hour = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
  const style = time ? hour : { dateStyle: "medium" };
  const when = new Date(iso);
  try {
    return new Intl.DateTimeFormat(language.locale, { ...style, timeZone: language.timeZone }).format(when);
  } catch {
    return new Intl.DateTimeFormat("en", style).format(when); // a host's locale or time zone that no browser knows
  }
}
