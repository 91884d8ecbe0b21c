// What the pages of all programs do alike. It comes before a page's own script, which has `draw`.
"use strict";

const at = id => document.getElementById(id);
const say = (id, text) => { const node = at(id); if (node.textContent !== text) node.textContent = text; };
const plural = (count, one, many = one + "s") => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

let picture = null;
let skew = 0; // the server's clock minus ours

function node(tag, className, ...content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...content.filter(part => part !== null && part !== undefined));
  return made;
}

function span(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const [days, hours, minutes, rest] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60];
  const two = number => String(number).padStart(2, "0");
  if (days > 0) return `${days} d ${hours} h`;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

function ticking(since) {
  const made = node("span");
  made.dataset.since = since;
  made.textContent = span(Date.now() + skew - since);
  return made;
}

function tick() {
  if (!picture) return;
  const now = Date.now() + skew;
  say("uptime", span(now - picture.started));
  for (const clock of document.querySelectorAll("[data-since]")) clock.textContent = span(now - Number(clock.dataset.since));
}

async function order(path) {
  try {
    const answer = await fetch(path, { method: "POST", headers: { "X-Requested-By": "page" } });
    if (!answer.ok) toast((await answer.text()).trim() || "That did not work.");
    return answer.ok;
  } catch {
    toast("The program cannot be reached.");
    return false;
  }
}

let toastTimer;
function toast(text) {
  say("toast", text);
  at("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { at("toast").hidden = true; }, 4000);
}

function live(state, text) {
  at("live").dataset.state = state;
  say("live-text", text);
}

function listen() {
  const events = new EventSource("/events");
  events.onmessage = event => {
    picture = JSON.parse(event.data);
    skew = picture.at - Date.now();
    live("live", "live");
    draw();
  };
  events.onerror = () => {
    live("lost", "the program does not answer");
    // The browser tries again by itself, unless it has given up.
    if (events.readyState === EventSource.CLOSED) { setTimeout(listen, 2000); }
  };
}
