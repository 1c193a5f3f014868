// What Barkeep adds to simcord's page: ten seconds from the microphone for /clone, sound that plays by itself where the
// greeting promises it, a timeline that follows a message that grows, and voices that are offered before a letter is
// typed. It works on the page's elements as a person would, and calls none of simcord's functions.

const SECONDS = 10;
const NEAR = 40; // pixels from the end at which the newest message is in view
const SCROLL = 1000; // milliseconds that scrolling by hand may go on
const PATIENCE = 8000; // milliseconds that the page may take to show what was asked for
const TO_READ = "Good evening! I have come a long way today, and I would like to sit by the window. "
  + "Tell me, what is good tonight, and what should I try first?";
const HEAR = "Hear a voice"; // the labels of the greeting's buttons, as in simulator/greeting.py
const RECORD = "Record my voice";

const form = document.getElementById("channel-composer");
const timeline = document.getElementById("channel-timeline");
const messages = document.getElementById("channel-message-list");

const shown = () => [...messages.querySelectorAll("article")];

function element(tag, text, className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
}

async function appeared(find) {
  for (const end = performance.now() + PATIENCE; performance.now() < end;) {
    const found = find();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("The page did not show the command. Type /clone and attach the recording yourself.");
}

// The timeline follows a message that grows while somebody reads the newest one. What scrolls it away from the end
// without a person's doing is simcord, which holds on to the message above.
let following = true;
let leaving = 0; // when somebody last did what may lead away from the end
const atEnd = () => timeline.scrollHeight - timeline.scrollTop - timeline.clientHeight < NEAR;
const follow = () => {
  if (following && !atEnd()) timeline.scrollTop = timeline.scrollHeight;
};
const leave = () => { leaving = performance.now(); };
for (const kind of ["wheel", "touchmove", "keydown"]) timeline.addEventListener(kind, leave, { passive: true });
timeline.addEventListener("pointerdown", ({ target }) => { if (target === timeline) leave(); });
for (const id of ["messages-sidebar", "history-older", "history-newer"]) {
  document.getElementById(id).addEventListener("click", leave);
}
timeline.addEventListener("scroll", () => {
  following = atEnd() || (following && performance.now() - leaving > SCROLL);
  follow();
}, { passive: true });
new ResizeObserver(follow).observe(messages);

// An empty field of an option with suggestions asks for them at once.
form.addEventListener("focusin", ({ target }) => {
  if (target.matches("input.command-option-input[role=combobox]") && !target.value) {
    target.dispatchEvent(new Event("input", { bubbles: true }));
  }
});

// The voice that somebody asked to hear plays as soon as it is there.
let before = null; // the ids of the messages that were there when the button was pressed
let playing = null; // the element that plays the answer
new MutationObserver(() => {
  const answer = before && shown().find((it) => !before.has(it.dataset.messageId) && it.querySelector("audio"));
  if (!answer) return;
  const sound = answer.querySelector("audio");
  if (sound === playing) return;
  if (playing) sound.currentTime = playing.currentTime; // the message was drawn again: its new element goes on
  playing = sound;
  const done = () => { if (sound === playing) before = playing = null; };
  sound.addEventListener("pause", () => { if (sound.isConnected && sound.hasAttribute("src")) done(); });
  // A browser that forbids it leaves the button beside the waveform. An element that is replaced meanwhile, or whose
  // file was, is followed by another.
  const play = () => sound.play().catch((error) => { if (error.name === "NotAllowedError") done(); });
  if (sound.readyState > 0) play();
  else sound.addEventListener("loadedmetadata", play, { once: true }); // more is not loaded before it plays
}).observe(messages, { childList: true, subtree: true });

document.addEventListener("click", (event) => {
  const label = event.target.closest("button")?.querySelector(".button-label")?.textContent;
  if (label === HEAR) {
    before = new Set(shown().map((it) => it.dataset.messageId));
    playing = null;
  }
  if (label === RECORD) {
    event.stopImmediatePropagation();
    record();
  }
}, { capture: true });

// The recorder.
const button = element("button", "🎙️ Record", "record-button");
button.type = "button";
button.title = `Record ${SECONDS} seconds of your voice for /clone`;
button.addEventListener("click", record);
document.getElementById("send-message").before(button);
let recording = false;

async function record() {
  if (recording) return;
  recording = true;
  button.hidden = true;
  const panel = element("div", "", "recorder");
  panel.setAttribute("role", "status");
  form.prepend(panel);
  try {
    const sound = await recorded(panel);
    if (sound) await handToClone(sound);
    panel.remove();
  } catch (error) {
    const close = element("button", "Close");
    close.type = "button";
    close.addEventListener("click", () => panel.remove());
    panel.replaceChildren(element("span", problem(error)), close);
  }
  button.hidden = false;
  recording = false;
}

function problem(error) {
  if (error.name === "NotAllowedError") {
    return "The browser may not use the microphone. Allow it beside the address, and press Record again.";
  }
  if (error.name === "NotFoundError") return "There is no microphone. Connect one, or attach a file to /clone.";
  return error.message;
}

// Ten seconds, or as many as there were when "Done" was pressed, as a file; null if it was cancelled.
async function recorded(panel) {
  if (!navigator.mediaDevices || !window.MediaRecorder) {
    throw new Error("This browser cannot record here. Attach a file to /clone instead.");
  }
  panel.textContent = "Waiting for the microphone…";
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: false } });
  const recorder = new MediaRecorder(stream);
  const parts = [];
  let cancelled = false;
  recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
  const stopped = new Promise((resolve) => recorder.addEventListener("stop", resolve));
  const left = element("strong", "");
  const [done, cancel] = ["Done", "Cancel"].map((label) => {
    const made = element("button", label);
    made.type = "button";
    made.addEventListener("click", () => { cancelled = label === "Cancel"; recorder.stop(); });
    return made;
  });
  panel.replaceChildren(left, element("span", "Speak now; for instance:"), done, cancel, element("q", TO_READ));
  const started = performance.now();
  const tick = setInterval(() => {
    const seconds = Math.max(0, SECONDS - (performance.now() - started) / 1000);
    left.textContent = `● ${Math.ceil(seconds)} s`;
    if (!seconds && recorder.state === "recording") recorder.stop();
  }, 100);
  recorder.start();
  await stopped;
  clearInterval(tick);
  stream.getTracks().forEach((track) => track.stop());
  const type = recorder.mimeType.split(";")[0];
  const ending = { "audio/mp4": "m4a", "audio/ogg": "ogg" }[type] || "webm";
  return cancelled ? null : new File(parts, `recording.${ending}`, { type });
}

// Fill in /clone: the recording, and the viewer's name, which they may change before they send it.
async function handToClone(sound) {
  form.querySelector(".command-context-close")?.click();
  const composer = await appeared(() => document.getElementById("channel-composer-input"));
  composer.value = "/clone";
  composer.dispatchEvent(new Event("input", { bubbles: true }));
  const entry = await appeared(() => [...form.querySelectorAll(".command-entry")]
    .find((it) => it.querySelector("strong")?.textContent === "/clone"));
  entry.click();
  const files = await appeared(() => form.querySelector('.command-pill[data-option="audio"] input[type=file]'));
  const transfer = new DataTransfer();
  transfer.items.add(sound);
  files.files = transfer.files;
  files.dispatchEvent(new Event("change", { bubbles: true }));
  const name = await appeared(() => form.querySelector('.command-pill[data-option="name"] input'));
  name.value = document.getElementById("viewer-picker").selectedOptions[0]?.text.replace(/ \(.*/, "") || "";
  name.dispatchEvent(new Event("input", { bubbles: true }));
  name.focus();
  name.select();
}
