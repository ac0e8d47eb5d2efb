// Money: what a click costs, and what is left. The server keeps Kling's answer, so asking is cheap.

const UNIT_USD = 0.07; // of one try-on, as others report it
const money = { account: null };

/** Ask what is left, and write it beside the button. What cannot be known is left out. */
async function countMoney() {
  try {
    money.account = await host.ask("get_account", {});
  } catch {
    money.account = null;
  }
  ready();
}

/** Return what `number` try-ons cost, in words, with what is left and what was used today. */
function priceOf(number) {
  const { units_left: left, creates_today: today, daily_limit: most, price_usd: each } = money.account ?? {};
  const usd = (number * (each ?? UNIT_USD)).toFixed(2);
  const price = FACTS.sandbox ? say("free") : say(number > 1 ? "price_several" : "price", { number, usd });
  const count = today == null ? "" : most ? say("today_of", { today, most }) : say("today", { today });
  const units = FACTS.sandbox || left == null ? "" : say("left", { left });
  return [price, units, count].filter(Boolean).join(" ");
}
