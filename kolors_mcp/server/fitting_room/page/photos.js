// Photos: told by their bytes, checked against the server's limits, turned upright, shrunk, and stripped of metadata.

const FACTS = JSON.parse(document.getElementById("facts").textContent);
const MAX_SIDE_PIXELS = 2048; // pixels: more than a try-on renders
const LARGEST = 900_000; // bytes: three photos in base64 stay under the 4 MiB that servers take in one request
const QUALITIES = [0.92, 0.85, 0.75];

const SIGNATURES = [
  ["JPEG", /^\xff\xd8\xff/],
  ["PNG", /^\x89PNG\r\n\x1a\n/],
  ["GIF", /^GIF8[79]a/],
  ["TIFF", /^(II[*+]\0|MM\0[*+])/],
  ["WebP", /^RIFF[^]{4}WEBP/],
  ["BMP", /^BM[^]{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0/],
  ["AVIF", /^[^]{4}ftyp(avif|avis)/],
  ["HEIC", /^[^]{4}ftyp(hei[cxms]|hev[cxms]|mif1|msf1)/],
];
const OTHERS = [
  ["found_pdf", /^%PDF-/],
  ["found_zip", /^PK\x03\x04/],
  ["found_video", /^([^]{4}ftyp|\x1aE\xdf\xa3)/],
  ["found_svg", /^\s*(<\?xml[^>]*>\s*)?<svg/i],
  ["found_page", /^\s*<(!doctype\s+html|html|head|body)/i],
  ["found_text", /^(-----BEGIN|[{[])/],
];

/**
 * Make a photo of a file, of a link, or of a sample (its `path` and `name`): `{uri, src, name, note}`, where `uri` is what is sent and `src` what is shown
 * (or null). One that was read here has its `file` and its `turns` too, and can be turned.
 * Throws a Trouble with the server's own sentence where the server would refuse it.
 */
async function photoFrom(file, what, turns = 0) {
  if (file.path) return { ...(await checked(file.path, what)), name: file.name };
  if (typeof file === "string") return checked(file.replace(/^www\./i, "https://www."), what);
  const subject = say(`${what}_subject`);
  const name = plain(file.name || "photo", 80);
  if (!file.size) throw new Trouble(say("empty", { subject, name }));
  if (file.size > FACTS.maxFileBytes) {
    const [mb, most] = [Math.round(file.size / 1e6), FACTS.maxFileBytes / 1e6];
    throw new Trouble(say("too_large", { subject, mb, most }));
  }
  const head = String.fromCharCode(...new Uint8Array(await file.slice(0, 4096).arrayBuffer()));
  const kind = SIGNATURES.find(([, pattern]) => pattern.test(head))?.[0];
  if (!kind) {
    const found = OTHERS.find(([, pattern]) => pattern.test(head))?.[0] ?? "found_unknown";
    throw new Trouble(say("no_picture", { subject, found: say(found) }));
  }
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return unread(file, kind, what, name);
  }
  const { width, height } = bitmap;
  const least = FACTS.minSide;
  if (Math.min(width, height) < least) throw new Trouble(say("too_small", { subject, width, height, least }));
  const { uri, size } = shrunk(bitmap, turns);
  bitmap.close();
  return { uri, src: uri, name, note: size, file, turns };
}

/** A picture that this browser cannot open: the server can open more kinds, and shows it; it is sent as it is. */
async function unread(file, kind, what, name) {
  const subject = say(`${what}_subject`);
  if (["JPEG", "PNG", "GIF", "WebP", "BMP"].includes(kind)) throw new Trouble(say("damaged", { subject, kind }));
  if (file.size > FACTS.maxSentBytes) {
    throw new Trouble(say("too_large_unread", { subject, most: FACTS.maxSentBytes / 1e6 }));
  }
  const uri = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Trouble(say("damaged", { subject, kind })));
    reader.readAsDataURL(file);
  });
  try {
    return { ...(await checked(uri, what)), name };
  } catch (error) {
    if (error.told) throw error;
    return { uri, src: null, name, note: `${kind}, ${say("sent_as_is")}` };
  }
}

/** Have the server fetch and check a picture, by whatever names it. It costs nothing, and nothing is sent to Kling. */
async function checked(picture, what) {
  const { content, structuredContent: facts } = await host.call("check_photo", { picture, role: what }).catch((error) => {
    throw error.told ? new Trouble(refusalInWords(error.message, what), true) : error;
  });
  const shown = content.find((part) => part.type === "image");
  if (!shown || !facts) throw new Trouble(say("odd_answer"));
  const name = /^(data:|base64)/.test(facts.name) ? say(what) : plain(facts.name, 60);
  const src = `data:${shown.mimeType};base64,${shown.data}`;
  return { uri: picture, src, name, note: `${facts.width} × ${facts.height}` };
}

/** Whether a text names a picture or a shop's page that the server can fetch. */
function isLink(text) {
  return /^(https?:\/\/|www\.)\S+\.\S+$/i.test(text);
}

/** Draw a bitmap upright on white, no larger than needed, and return it as a data: URI with its size in words. */
function shrunk(bitmap, turns) {
  const [longer, shorter] = [Math.max(bitmap.width, bitmap.height), Math.min(bitmap.width, bitmap.height)];
  let scale = Math.min(1, Math.max(MAX_SIDE_PIXELS / longer, FACTS.minSide / shorter));
  for (;;) {
    const canvas = drawn(bitmap, scale, turns);
    for (const quality of QUALITIES) {
      const uri = canvas.toDataURL("image/jpeg", quality);
      const smallest = shorter * scale * 0.8 < FACTS.minSide && quality === QUALITIES.at(-1);
      if (uri.length * 0.75 <= LARGEST || smallest) return { uri, size: `${canvas.width} × ${canvas.height}` };
    }
    scale *= 0.8;
  }
}

function drawn(bitmap, scale, turns) {
  const [width, height] = [Math.round(bitmap.width * scale), Math.round(bitmap.height * scale)];
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = turns % 2 ? [height, width] : [width, height];
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingQuality = "high";
  pen.translate(canvas.width / 2, canvas.height / 2);
  pen.rotate((turns * Math.PI) / 2);
  pen.drawImage(bitmap, -width / 2, -height / 2, width, height);
  return canvas;
}

/** A name from outside as one short line without hidden characters or quotes. */
function plain(text, most = 40) {
  const line = text.replace(/[\p{C}\p{Z}"]+/gu, " ").trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}
