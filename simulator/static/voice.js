// The voice channel above the messages: who sits there, what is said, what waits, and "Listen".

const EVERY = 700; // milliseconds between two looks
const TYPE = 'audio/webm; codecs="opus"';
const LATE = 1.0; // seconds behind what is said, from which on the sound jumps to
const NEAR = 0.3; // seconds behind it
const key = location.hash.slice(1);

function element(tag, text, className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
}

const bar = element("section", "", "voice-bar");
bar.setAttribute("aria-label", "Voice channel");
bar.hidden = true;
const people = element("span", "", "voice-people");
const lines = element("span", "", "voice-lines");
const listen = element("button", "🎧 Listen", "voice-listen");
listen.type = "button";
listen.setAttribute("aria-pressed", "false");
bar.append(people, lines, listen);
document.getElementById("channel-timeline").before(bar);

// A stream without an end: it is opened when somebody listens, and closed with the button or the page. A source is
// filled by hand, because a browser that is given the address waits for many seconds of such a small stream.
const audio = element("audio", "", "voice-audio");
bar.append(audio);
let closing = null; // ends the stream that is open

async function receive(signal) {
  const media = new MediaSource();
  audio.src = URL.createObjectURL(media);
  await new Promise((resolve) => media.addEventListener("sourceopen", resolve, { once: true }));
  const buffer = media.addSourceBuffer(TYPE);
  const response = await fetch("/voice/sound", { headers: { "X-Simcord-Capability": key }, signal });
  const reader = response.body.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    buffer.appendBuffer(value);
    await new Promise((resolve) => buffer.addEventListener("updateend", resolve, { once: true }));
    const { buffered } = audio;
    if (!buffered.length) continue;
    const end = buffered.end(buffered.length - 1);
    if (end - audio.currentTime > LATE) audio.currentTime = end - NEAR; // it is live
    if (audio.paused) audio.play().catch(() => {});
  }
}

listen.addEventListener("click", () => {
  if (closing) {
    closing.abort();
    audio.removeAttribute("src");
    audio.load();
    closing = null;
  } else {
    closing = new AbortController();
    receive(closing.signal).catch((error) => {
      if (error.name !== "AbortError") lines.textContent = `This browser cannot play it: ${error.message}`;
    });
  }
  listen.textContent = closing ? "🔇 Stop listening" : "🎧 Listen";
  listen.setAttribute("aria-pressed", String(Boolean(closing)));
});

const quoted = (line) => `${line.voice}: “${line.text}”`;

function show(state) {
  bar.hidden = !state.people.length;
  people.textContent = `🔊 ${state.channel}: ${state.people.map((it) => it.name + (it.bot ? " 🤖" : "")).join(", ")}`;
  bar.classList.toggle("voice-speaking", state.speaking);
  if (!state.now) {
    lines.textContent = "silence";
    return;
  }
  const next = state.waiting.length ? ` · next ${quoted(state.waiting[0])}` : "";
  const more = state.waiting.length > 1 ? ` and ${state.waiting.length - 1} more` : "";
  lines.textContent = `${state.speaking ? "now" : "soon"} ${quoted(state.now)}${next}${more}`;
}

async function look() {
  try {
    const response = await fetch("/voice/state", { headers: { "X-Simcord-Capability": key } });
    if (response.ok) show(await response.json());
  } catch {
    bar.hidden = true; // the simulator was stopped
  }
  setTimeout(look, EVERY);
}
look();
