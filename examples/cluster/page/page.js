// Draws the picture that /events sends. Everything from the network is set as text, never as markup.
"use strict";

const SVG = "http://www.w3.org/2000/svg";

let chosen = null; // the phone that was clicked first

function shape(tag, attributes, ...content) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...content.filter(part => part !== null && part !== undefined));
  return made;
}

const kilobits = rate => rate >= 1000 ? `${(rate / 1000).toFixed(2)} Mbit/s` : `${rate.toFixed(rate < 10 ? 1 : 0)} kbit/s`;
const colour = key => { const index = picture.nodes.findIndex(it => it.key === key); return index < 0 ? "none" : "node" + index; };
const nodeOf = key => picture.nodes.find(it => it.key === key);
const phoneOf = account => picture.phones.find(it => it.account === account);

// Where things stand in the picture.
const PHONE_X = 96, BALANCER = { left: 345, right: 515, y: 238 }, PBX_X = 700, PBX = [{ y: 104 }, { y: 372 }];
const phoneY = (index, count) => count < 2 ? 238 : 76 + index * (330 / (Math.max(count, 4) - 1));

/** The way of voice from a phone to its PBX: over the balancer's head or under its feet. */
function voiceWay(y, pbx) {
  const end = PBX[pbx].y + (pbx === 0 ? -14 : 14), bend = pbx === 0 ? Math.min(y, 92) - 34 : Math.max(y, 384) + 34;
  return `M${PHONE_X + 34} ${y}C${300} ${bend} ${520} ${bend} ${PBX_X} ${end}`;
}

/** Everybody with a phone: the demonstration ones, then those that people registered. */
function everybody() {
  const own = picture.phones.map(phone => ({ ...phone, mine: true }));
  const guests = picture.guests.slice(0, 4).map(guest => ({ account: guest.account, node: guest.reachable ? guest.node : null,
    registered: guest.reachable, program: guest.program, mine: false, call: null }));
  return [...own, ...guests];
}

/** Draws only when something changed, so that animations run on. */
const drawn = new Map();
function redraw(id, key, parts) {
  const text = JSON.stringify(key);
  if (drawn.get(id) === text) return;
  drawn.set(id, text);
  const focus = document.activeElement && at(id).contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  at(id).replaceChildren(...parts());
  if (focus) at(id).querySelector(`[data-focus="${CSS.escape(focus)}"]`)?.focus();
}

function drawWires(people) {
  const servers = picture.balancer.servers;
  const key = [people.map(it => [it.account, it.node]), servers.map(it => [it.up, it.connections]), picture.nodes.map(it => it.running)];
  redraw("wires", key, () => [
    ...people.map((person, index) => {
      const y = phoneY(index, people.length);
      const way = `M${PHONE_X + 34} ${y}C${240} ${y} ${240} ${BALANCER.y} ${BALANCER.left} ${BALANCER.y}`;
      return shape("path", { class: `wire ${person.node ? colour(person.node) : "none"}`, d: way });
    }),
    ...picture.nodes.flatMap((pbx, index) => {
      const server = servers[index], y = PBX[index].y;
      const state = !pbx.running || server?.up === false ? "down" : "node" + index;
      const way = `M${BALANCER.right} ${BALANCER.y}C${610} ${BALANCER.y} ${610} ${y} ${PBX_X} ${y}`;
      const label = !server ? "" : server.up === false ? "down" : plural(server.connections, "connection");
      return [shape("path", { class: `wire server ${state}`, d: way }),
        shape("text", { class: "count-on-wire", x: 607, y: (BALANCER.y + y) / 2 + 4 }, label)];
    }),
  ]);
}

function drawVoice(people) {
  const talking = people.map((person, index) => ({ person, index })).filter(({ person }) => person.call && person.node && person.call.phase !== "calling");
  redraw("media", talking.map(({ person, index }) => [index, person.node, person.call.phase]), () => talking.map(({ person, index }) =>
    shape("path", { class: `voice ${person.call.phase}`, d: voiceWay(phoneY(index, people.length), picture.nodes.findIndex(it => it.key === person.node)) })));
}

const HOOK = "M-15-5c8-8 22-8 30 0 1 1 1 3 0 4l-4 4c-1 1-3 1-4 0l-2-3c-3-1-7-1-10 0l-2 3c-1 1-3 1-4 0l-4-4c-1-1-1-3 0-4z";

function drawPhones(people) {
  const key = [people.map(it => [it.account, it.node, it.call?.phase, it.call?.with, it.program]), chosen];
  redraw("phones", key, () => people.map((person, index) => {
    const state = [person.node ? colour(person.node) : "lost", person.call?.phase ?? "", chosen === person.account ? "chosen" : ""].join(" ");
    const note = !person.node ? "not registered" : person.call ? `${person.call.outgoing ? "→" : "←"} ${person.call.with}` : person.mine ? "idle" : person.program ?? "your phone";
    const made = shape("g", { class: `phone ${state}`, transform: `translate(${PHONE_X} ${phoneY(index, people.length)})${people.length > 5 ? ` scale(${(5 / people.length).toFixed(2)})` : ""}`, tabindex: 0, role: "button",
      "data-focus": person.account, "aria-label": `Phone ${person.account}: ${note}` },
      shape("circle", { r: 32 }), shape("path", { class: "hook", d: HOOK, transform: "translate(0 -7)" }),
      shape("text", { class: "strong", y: 19, "text-anchor": "middle" }, person.account),
      shape("text", { class: "tiny", y: 46, "text-anchor": "middle" }, note.length > 22 ? note.slice(0, 21) + "…" : note));
    press(made, () => choose(person));
    return made;
  }));
}

function press(made, act) {
  made.addEventListener("click", act);
  made.addEventListener("keydown", event => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); act(); } });
}

function choose(person) {
  if (chosen === null) {
    if (!person.mine) return toast("Only demonstration phones can be told to call. Pick one of them first.");
    if (person.call) return toast(`${person.account} is in a call. Its button below hangs up.`);
    chosen = person.account;
    toast(`Now click the phone that ${person.account} shall call.`);
  } else {
    const caller = chosen;
    chosen = null;
    if (caller !== person.account) order(`/phones/${encodeURIComponent(caller)}/call/${encodeURIComponent(person.account)}`);
  }
  draw();
}

function drawNodes() {
  const counts = picture.nodes.map(pbx => picture.phones.filter(it => it.node === pbx.key).length + picture.guests.filter(it => it.node === pbx.key).length);
  const key = picture.nodes.map((pbx, index) => [pbx.running, pbx.calls, pbx.ended, pbx.problem, counts[index], pbx.public, pbx.private]);
  redraw("nodes", key, () => picture.nodes.map((pbx, index) => {
    const act = pbx.running ? "stop" : "start";
    const button = shape("g", { class: `press ${act}`, transform: "translate(196 14)", tabindex: 0, role: "button", "data-focus": pbx.key,
      "aria-label": `${act} ${pbx.name}` },
      shape("rect", { width: 52, height: 25, rx: 8 }), shape("text", { x: 26, y: 17 }, act === "stop" ? "Stop" : "Start"));
    press(button, () => { button.classList.add("busy"); order(`/nodes/${pbx.key}/${act}`).then(() => button.classList.remove("busy")); });
    const facts = pbx.running
      ? `${plural(counts[index], "phone")} · ${plural(pbx.calls, "call")} now · ${pbx.ended.toLocaleString("en")} ended`
      : pbx.problem ?? "stopped";
    return shape("g", { class: `node${index} ${pbx.running ? "" : "off"}`, transform: `translate(${PBX_X} ${PBX[index].y - 54})` },
      shape("rect", { class: "box", width: 262, height: 108, rx: 14 }),
      shape("rect", { class: "stripe", x: 0, y: 22, width: 5, height: 64, rx: 2.5 }),
      shape("text", { class: "strong", x: 20, y: 32 }, pbx.name), button,
      shape("text", { class: "quiet", x: 20, y: 55 }, "media ", shape("tspan", { class: "mono" }, pbx.public)),
      shape("text", { class: "quiet", x: 20, y: 74 }, "trunk ", shape("tspan", { class: "mono" }, pbx.private)),
      shape("text", { class: "quiet", x: 20, y: 95 }, facts.length > 40 ? facts.slice(0, 39) + "…" : facts));
  }));
}

function drawTrunk() {
  const { trunk, nodes } = picture;
  const peers = nodes.flatMap(pbx => pbx.peers);
  const running = nodes.every(pbx => pbx.running);
  const up = running && peers.length > 0 && peers.every(peer => peer.reachable);
  at("trunk-line").setAttribute("class", `trunk ${up ? "up" : "down"}`);
  at("trunk-flow").toggleAttribute("hidden", !trunk.calls.some(call => call.state === "up"));
  say("trunk-state", up ? "each registered with the other" : !running ? "one side is stopped" : peers.some(it => it.reachable) ? "one side is registered" : "not registered");
  say("trunk-rate", `${kilobits(trunk.rate)} both ways`);
  say("trunk-calls", trunk.calls.length === 0 ? "no call" : plural(trunk.calls.length, "call"));
  const delays = peers.map(peer => peer.delay).filter(delay => delay !== null);
  say("trunk-delay", delays.length > 0 ? `qualify ${delays.map(delay => `${delay < 10 ? delay.toFixed(1) : Math.round(delay)} ms`).join(", ")}` : "");
  const talking = trunk.calls.filter(call => call.state === "up").length;
  say("trunk-each", talking > 0 && trunk.rate > 20 ? `a call: 2 × ${(trunk.rate / talking / 2).toFixed(1)} kbit/s` : "");
  const top = Math.max(100, ...trunk.history) * 1.1, step = 124 / 59;
  const points = trunk.history.map((rate, index) => [(60 - trunk.history.length + index) * step, 92 - 78 * rate / top]);
  const line = points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");
  at("rate-line").setAttribute("d", points.length > 1 ? "M" + line : "");
  at("rate-area").setAttribute("d", points.length > 1 ? `M${points[0][0].toFixed(1)} 92L${line}L124 92Z` : "");
  say("rate-top", trunk.history.length > 0 ? `peak ${kilobits(Math.max(...trunk.history))}` : "");
}

function drawBalancer() {
  const { balancer } = picture;
  at("balancer").setAttribute("class", balancer.running ? "" : "off");
  say("balancer-name", balancer.program === "HAProxy" ? "HAProxy" : "Tandem balancer");
  say("balancer-address", balancer.address);
  say("balancer-algorithm", balancer.running ? balancer.algorithm : "has ended");
  say("balancer-connections", plural(balancer.connections, "connection"));
}

function hears(call) {
  if (!call || call.phase !== "up") return node("td", "", "–");
  const { heard } = call;
  if (heard.received === 0) return node("td", "", node("span", "loss", "nothing yet"));
  const who = picture.phones.find(phone => phone.tone === heard.tone);
  const told = heard.tone === null ? "no known tone" : `${heard.tone} Hz` + (who ? `, ${who.account}'s` : "");
  return node("td", "", node("span", heard.lost > 0 ? "loss some" : "loss", `${told}`),
    node("small", "", `${heard.level === null ? "" : heard.level.toFixed(1) + " dBm0 · "}${heard.lost.toLocaleString("en")} of ${(heard.received + heard.lost).toLocaleString("en")} lost · ${heard.jitter.toFixed(1)} ms jitter`));
}

function action(text, style, path) {
  const button = node("button", style, text);
  button.type = "button";
  button.dataset.focus = path;
  button.addEventListener("click", () => { button.disabled = true; order(path).then(() => { button.disabled = false; }); });
  return button;
}

const badge = key => key ? node("span", `badge ${colour(key)}`, nodeOf(key)?.name ?? key) : node("span", "badge lost", "nowhere");

function drawRows() {
  const body = at("phone-rows").tBodies[0];
  const focus = body.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  const rows = picture.phones.map(phone => {
    const { call } = phone, path = `/phones/${encodeURIComponent(phone.account)}`;
    const state = call
      ? node("td", "call", node("span", `pill ${call.phase}`, call.phase), " ", ticking(call.since), node("small", "", `${call.outgoing ? "to" : "from"} ${call.with}`))
      : node("td", "", node("span", "pill", "idle"), phone.problem ? node("small", "", phone.problem) : null);
    return node("tr", "", node("td", "", node("b", "", phone.account), node("small", "", `says ${phone.tone} Hz`)),
      node("td", "", badge(phone.node), node("small", "mono", phone.local ?? "no connection")), state, hears(call),
      node("td", "narrow", node("div", "orders", call ? action("Hang up", "hang", path + "/hangup") : action("Reconnect", "", path + "/reconnect"))));
  });
  for (const guest of picture.guests) {
    rows.push(node("tr", "", node("td", "", node("b", "", guest.account), node("small", "", guest.program ?? "a phone")),
      node("td", "", badge(guest.reachable ? guest.node : null)), node("td", "", "–"), node("td", "", "–"), node("td", "narrow", "")));
  }
  body.replaceChildren(...rows);
  if (focus) body.querySelector(`[data-focus="${CSS.escape(focus)}"]`)?.focus();
}

function drawRecords() {
  at("records").hidden = picture.records.length === 0;
  at("no-records").hidden = picture.records.length > 0;
  const body = at("records").tBodies[0];
  const text = JSON.stringify(picture.records);
  if (drawn.get("records") === text) return;
  drawn.set("records", text);
  body.replaceChildren(...picture.records.map(record => node("tr", "",
    node("td", "", record.start.split(" ").at(-1)), node("td", "", badge(record.node)), node("td", "", node("b", "", record.src)), node("td", "", node("b", "", record.dst)),
    node("td", "mono", record.channel), node("td", "mono", record.dstchannel || "–"), node("td", "mono", record.last),
    node("td", "number", record.disposition === "ANSWERED" ? `${record.billsec} s` : "–"),
    node("td", "", node("span", `pill ${record.disposition}`, record.disposition.toLowerCase())))));
}

function drawJournal() {
  redraw("journal", picture.journal, () => picture.journal.map(entry => {
    const time = node("time", "", new Date(entry.at).toLocaleTimeString("en-GB"));
    return node("li", entry.tone, time, node("i"), node("span", "", entry.text));
  }));
}

function drawForm(people) {
  const accounts = people.map(person => person.account);
  for (const [id, list, index] of [["from", picture.phones.map(phone => phone.account), 0], ["to", [...new Set(accounts)], 1]]) {
    const select = at(id);
    if (JSON.stringify([...select.options].map(option => option.value)) === JSON.stringify(list)) continue;
    const before = select.value;
    select.replaceChildren(...list.map(account => node("option", "", account)));
    select.value = list.includes(before) ? before : list[index] ?? "";
  }
  at("place-call").hidden = picture.phones.length === 0;
  say("calling", picture.calling ? "Pause demonstration calls" : "Resume demonstration calls");
  at("calling").setAttribute("aria-pressed", String(picture.calling));
}

function drawTiles() {
  const { phones, guests, trunk, nodes } = picture;
  const registered = phones.filter(it => it.node).length + guests.filter(it => it.reachable).length;
  say("registered", String(registered));
  say("registered-note", nodes.map(pbx => `${phones.filter(it => it.node === pbx.key).length + guests.filter(it => it.node === pbx.key).length} at ${pbx.name}`).join(", "));
  // A call across is one call, though each PBX has its part of it.
  const calls = nodes.reduce((sum, pbx) => sum + pbx.calls, 0) - trunk.calls.length;
  say("calls-now", String(Math.max(0, calls)));
  say("calls-note", trunk.calls.length > 0 ? `${trunk.calls.length} across the trunk` : calls > 0 ? "none across the trunk" : "quiet");
  say("bandwidth", kilobits(trunk.rate));
  say("bandwidth-note", `${Math.round(trunk.datagrams)} datagrams/s, both ways, IP headers included`);
  const heard = phones.map(it => it.call?.heard).filter(Boolean);
  const received = heard.reduce((sum, it) => sum + it.received, 0), lost = heard.reduce((sum, it) => sum + it.lost, 0);
  say("lost", lost.toLocaleString("en"));
  say("lost-note", received > 0 ? `of ${(received + lost).toLocaleString("en")} in the calls now` : "no call now");
  say("uptime-note", `${picture.balancer.program === "HAProxy" ? "HAProxy" : "our balancer"}, ${picture.balancer.algorithm}`);
}

function drawPages() {
  redraw("pages", picture.nodes.map(pbx => pbx.page), () => picture.nodes.filter(pbx => pbx.page).map(pbx => {
    const link = node("a", "", `page of ${pbx.name}`);
    link.href = pbx.page;
    return link;
  }));
}

function draw() {
  if (!picture) return;
  const people = everybody();
  drawBalancer();
  drawWires(people);
  drawVoice(people);
  drawTrunk();
  drawNodes();
  drawPhones(people);
  drawForm(people);
  drawTiles();
  drawRows();
  drawJournal();
  drawRecords();
  drawPages();
  tick();
}

at("place-call").addEventListener("submit", event => {
  event.preventDefault();
  const [from, to] = [at("from").value, at("to").value];
  if (from === to) return toast("A phone cannot call itself.");
  order(`/phones/${encodeURIComponent(from)}/call/${encodeURIComponent(to)}`);
});
at("calling").addEventListener("click", () => order(`/calling/${picture?.calling ? "off" : "on"}`));
setInterval(tick, 1000);
listen();
