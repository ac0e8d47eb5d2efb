// What the server and Kling say, for shoppers: theirs is written for assistants, and in English only.

// Of what went wrong with a try-on, by what the server's sentence has in it. "final" ones fail again with the same photos.
const REASONS = [
  ["policy", /risk control|content policy|platform policy|\b130[01]\b/i, "final"],
  ["no_person", /no human|no person/i, "final"],
  ["shape", /aspect ratio|resolution of|resolution or/i, "final"],
  ["dress_alone", /dress cannot be combined/i, "final"],
  ["same_picture", /same picture as/, "final"],
  ["forgotten", /is not remembered here/, "final"],
  ["no_units", /\b1102\b/],
  ["busy", /\b130[23]\b/],
  ["limit", /limit of \d+ paid/],
  ["keys", /\b100[0-4]\b|KLING_API_KEY/],
  ["account", /\b110[013]\b|\b1304\b/],
  ["doubt", /may exist/],
  ["unreached", /cannot be reached|\b500[0-2]\b|internal error|time-out|is not there in time/i],
  ["gone", /link has expired|knows no try-on/],
];
// Of a picture that was refused.
const REFUSALS = [
  ["link_gone", /is not there: .* answered/],
  ["link_kept", /is not given out|with a name or password|names no main picture|no picture without a browser|leads to a web page/],
  ["link_slow", /delivered|cannot be fetched now|could not be fetched whole|not there in time/],
  ["link_lost", /cannot be (resolved|fetched)|is redirected|is a link|leads to/],
  ["forgotten", /is not remembered here/],
];

/** Return `{text, detail, final}`: what went wrong in the reader's words, and the server's own where they say more. */
function inWords(sentence) {
  if (/[\u4e00-\u9fff]/.test(sentence)) return { text: sentence, detail: "" }; // the page's own words
  const [key, , final] = REASONS.find(([, pattern]) => pattern.test(sentence)) ?? [];
  const unpaid = /No task was created|Nothing was sent/.test(sentence) ? ` ${say("nothing_paid")}` : "";
  if (key) return { text: say(`reason_${key}`) + unpaid, detail: sentence, final: Boolean(final) };
  return language.code === "en" ? { text: sentence, detail: "" } : { text: say("reason_unknown") + unpaid, detail: sentence };
}

/** Return what is wrong with a picture, in the reader's words. */
function refusalInWords(sentence, what) {
  const subject = say(`${what}_subject`);
  const [key] = REFUSALS.find(([, pattern]) => pattern.test(sentence)) ?? [];
  if (key) return `${say(key, { subject })} ${/answered (\d{3})/.exec(sentence)?.[1] ?? ""}`.trim();
  const theirs = sentence.replace(/^(human|cloth|lower_cloth)_image\b/, subject).replace(/ Nothing was sent\./, "");
  return language.code === "en" ? theirs : `${say("refused_unknown", { subject })} (${theirs})`;
}

/** Return what a try-on that failed has cost, as the server tells it. */
function costOf(tryOn) {
  if (tryOn.sandbox) return say("free");
  const units = /cost ([\d.]+) units/.exec(tryOn.next_step ?? "")?.[1];
  return units ? say("failed_cost", { units }) : say("failed_free");
}

/** Return how it stands with a try-on that runs, where there is more to say than that; "" where there is not. */
function standing(message) {
  if (!message) return "";
  const before = /in line, (\d+) before you/.exec(message)?.[1];
  return before ? say("in_line", { before }) : /in line|next/.test(message) ? say("in_line_next") : say("outage");
}
