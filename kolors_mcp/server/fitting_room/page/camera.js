// The camera: a view of it, an outline to stand in, and time to get there.

function cameraAllowed() {
  const policy = document.permissionsPolicy ?? document.featurePolicy;
  if (window.origin === "null") return false; // browsers lend no camera to a page without an origin
  const granted = policy?.allowsFeature("camera") ?? Boolean(host.capabilities.sandbox?.permissions?.camera);
  return granted && Boolean(navigator.mediaDevices?.getUserMedia);
}

/** Take a photo with the camera; where the page may not use it, a phone's own camera application can. */
async function shoot(what, shooter) {
  if (!cameraAllowed()) return shooter.click();
  const dialog = at("camera");
  const video = dialog.querySelector("video");
  const view = { facing: what === "human_image" ? "user" : "environment", counting: 0 };
  if (!(await openCamera(video, view.facing))) return alarm(say("camera_failed"));
  at("outline").toggleAttribute("hidden", what !== "human_image");
  at("delay").value = what === "human_image" ? 3 : 0;
  at("flip").hidden = !(await severalCameras());
  const stop = () => {
    clearInterval(view.counting);
    at("count").textContent = "";
  };
  dialog.onclose = () => {
    stop();
    release(video);
    slots[what].part(".pick").focus();
  };
  at("cancel").onclick = () => dialog.close();
  at("flip").onclick = () => {
    stop();
    at("shoot").disabled = true;
    view.facing = view.facing === "user" ? "environment" : "user";
    openCamera(video, view.facing);
  };
  at("shoot").onclick = () => {
    stop();
    countDown(view, Number(at("delay").value), () => {
      stop();
      take(video, what);
      dialog.close();
    });
  };
  dialog.showModal();
}

/** Say the seconds that are left, and act when none is. */
function countDown(view, seconds, act) {
  if (!seconds) return act();
  const tell = () => {
    at("count").textContent = seconds;
    announce(say("elapsed", { seconds }));
  };
  tell();
  view.counting = setInterval(() => (--seconds ? tell() : act()), 1000);
}

async function openCamera(video, facingMode) {
  release(video);
  at("shoot").disabled = true;
  video.onloadeddata = () => (at("shoot").disabled = false);
  // One sees oneself as in a mirror; the photo is as others see one.
  video.parentElement.classList.toggle("mirrored", facingMode === "user");
  try {
    const size = { width: { ideal: 1920 }, height: { ideal: 1920 } };
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode, ...size } });
    return true;
  } catch {
    return false;
  }
}

async function severalCameras() {
  const devices = await navigator.mediaDevices.enumerateDevices().catch(() => []);
  return devices.filter(({ kind }) => kind === "videoinput").length > 1;
}

function release(video) {
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
}

function take(video, what) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob((blob) => give(what, new File([blob], "camera.jpg")), "image/jpeg", 0.95);
}
