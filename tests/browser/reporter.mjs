// Prints one line for each test, the whole of each failure, and at last how many passed.
export default async function* report(source) {
  const count = { passed: 0, failed: 0 };
  for await (const { type, data } of source) {
    if (type === "test:stderr" || type === "test:stdout") yield data.message;
    if (data.details?.type === "suite" || !["test:pass", "test:fail"].includes(type)) continue;
    // A file counts by its tests, unless it failed as a whole: it could not be loaded, or never ended.
    if (data.name.endsWith(".mjs") && (type === "test:pass" || data.details.error.failureType === "subtestsFailed")) continue;
    const verdict = data.skip !== undefined ? "skipped" : type === "test:pass" ? "passed" : "failed";
    count[verdict] = (count[verdict] ?? 0) + 1;
    yield `${verdict.padEnd(7)} ${data.name}\n`;
    if (verdict === "failed") yield `${data.details.error.cause?.stack ?? data.details.error.stack}\n`;
  }
  yield `\n${Object.entries(count).filter(([, number]) => number).map(([verdict, number]) => `${number} ${verdict}`).join(", ")}\n`;
}
