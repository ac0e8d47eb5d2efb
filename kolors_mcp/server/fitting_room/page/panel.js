// The panel of photos: what can be started, and whether it is what the stage shows.

/** Whether two try-ons are made of the same photos. */
function alike(one, other) {
  return Object.keys(PLACES).every((what) => one[what]?.uri === other[what]?.uri);
}

/** Return what is known of the latest try-on with these photos that this view has started. */
function triedWith(chosen) {
  return [...room.started.values()].findLast((known) => alike(known.chosen, chosen));
}

/** Make a try-on the one that the page is about: its tile is marked, and the panel has its photos or says that not. */
function turnTo(tryOn) {
  room.tryOn = tryOn;
  mark(tryOn?.task_id);
  const known = room.started.get(tryOn?.task_id);
  // What was put together and not tried on yet is not thrown away for a look at another one.
  const settled = !Object.keys(photos).length || (looks().length > 0 && !newLooks().length);
  const within = known && looks().some((chosen) => alike(chosen, known.chosen));
  if (known && settled && !within) usePhotos(known.chosen);
  ready();
}

/** Put the photos of a try-on into the panel. */
function usePhotos(chosen) {
  for (const what of Object.keys(PLACES)) {
    readings[what] = (readings[what] ?? 0) + 1;
    delete photos[what];
    slots[what].part(".fault").hidden = true;
  }
  Object.assign(photos, chosen);
  more.length = 0;
  labelSlots();
  showQueue();
}

function lock(locked) {
  at("choose").inert = locked;
  at("again").disabled = locked;
  ready(locked);
}

/** Say what is still missing, and let it be started once nothing is. */
function ready(locked = at("choose").inert) {
  const missing = ["human_image", "cloth_image"].filter((what) => !photos[what]);
  const same = photos.lower_cloth_image && photos.lower_cloth_image.uri === photos.cloth_image?.uri;
  const all = looks();
  const fresh = newLooks();
  const running = all.length > 0 && all.every((chosen) => triedWith(chosen)?.ended === undefined && triedWith(chosen));
  at("start").disabled = locked || missing.length > 0 || Boolean(same) || running;
  // What was tried on a moment ago is not offered as loudly as what is new.
  at("start").classList.toggle("primary", !all.length || fresh.length > 0);
  const number = fresh.length || 1;
  const words = number > 1 ? say("start_several", { number }) : say("start");
  at("start").querySelector("span").textContent = running ? say("being_tried") : words;
  const gap = missing.length === 2 ? say("missing_both") : missing.length ? say(`missing_${missing[0]}`) : "";
  at("missing").textContent = same ? say("same", { subject: say("lower_cloth_image_subject") }) : gap;
  at("price").textContent = gap || same ? "" : running ? say("being_tried_hint") : priceOf(number);
  at("missing").classList.toggle("fault", Boolean(same));
  const other = room.started.get(room.tryOn?.task_id)?.chosen;
  const agrees = other && (all.length ? all : [photos]).some((chosen) => alike(other, chosen));
  at("differs").hidden = !(room.tryOn && Object.keys(photos).length > 0 && !agrees);
  at("agree").hidden = !other;
}
