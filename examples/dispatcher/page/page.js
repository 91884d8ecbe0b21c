// Draws what /status says, every second. Everything from the network is set as text, never as markup.
"use strict";

let last = null;
let token = sessionStorage.getItem("token");

const micros = value => value === null ? "more than 10 s" : value >= 1000 ? `${value / 1000} ms` : `${value} µs`;

async function ask(method, path) {
  const headers = { "X-Requested-By": "page" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(path, { method, headers });
  if (response.status === 401) {
    token = prompt("The token of this dispatcher:") || "";
    sessionStorage.setItem("token", token);
    throw new Error("the token is missing or wrong");
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.error || response.statusText);
  return body;
}

async function command(button, path) {
  button.disabled = true;
  try { await ask("POST", path); await look(); } catch (error) { toast(error.message); }
  button.disabled = false;
}

function button(text, className, name, verb) {
  const made = node("button", className, text);
  made.type = "button";
  made.dataset.verb = verb;
  made.addEventListener("click", () => command(made, `/destinations/${encodeURIComponent(name)}/${verb}`));
  return made;
}

function row(it) {
  const shown = `${(it.share * 100).toFixed(1)} %`;
  const fill = node("i"); fill.style.width = `${Math.min(100, it.share * 100)}%`;
  const mark = node("u"); mark.style.left = `${Math.min(100, it.fair * 100)}%`;
  mark.title = `its weight promises ${(it.fair * 100).toFixed(1)} %`;
  const share = node("td", "", node("div", "share", node("span", "bar", fill, it.fair > 0 ? mark : null), node("span", "percent", shown)));
  let note = it.alive ? null : "does not answer";
  if (it.drain && !it.drain.over) note = `${it.drain.left} of ${it.drain.calls} calls left` + (it.drain.deadline !== null ? `, ${Math.ceil(it.drain.deadline)} s at most` : "");
  else if (it.drain) note = `drained after ${it.drain.seconds.toFixed(0)} s`;
  const state = node("td", "", node("span", `pill ${it.state}`, it.state), note ? node("small", "", note) : null);
  const name = node("td", "", node("b", "", it.name), node("small", "mono", `${it.transport.toLowerCase()} ${it.address}`));
  const latency = it.latency === null ? "–" : it.latency < 1 ? `${(it.latency * 1000).toFixed(0)} µs` : `${it.latency.toFixed(1)} ms`;
  const serves = it.state === "active" || it.state === "trying" || it.state === "probing";
  const actions = node("td", "actions", serves ? button("Drain", "", it.name, "drain") : button("Enable", "plain", it.name, "enable"),
    it.state === "draining" ? button("Disable", "", it.name, "disable") : null);
  const made = node("tr", "", name, state, share, node("td", "number", it.calls.toLocaleString("en")),
    node("td", "number", it.total.toLocaleString("en")), node("td", "number", latency), node("td", "number", String(it.weight)), actions);
  made.dataset.name = it.name;
  made.dataset.share = it.share;
  made.dataset.state = it.state;
  return made;
}

function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (count >= 1000 && unit < units.length - 1) { count /= 1000; unit += 1; }
  return `${unit === 0 ? count : count.toFixed(1)} ${units[unit]}`;
}

function connectionRow(balancer, it) {
  let note = it.up === false ? "does not answer" : null;
  if (it.drain && !it.drain.over) note = `${it.drain.left} of ${it.drain.had} connections left` + (it.drain.deadline !== null ? `, ${Math.ceil(it.drain.deadline)} s at most` : "");
  else if (it.drain) note = `drained after ${it.drain.seconds.toFixed(0)} s`;
  const serves = it.state === "active" || it.state === "trying" || it.state === "probing";
  const actions = node("td", "actions", serves ? button("Drain", "", it.name, "drain") : button("Enable", "plain", it.name, "enable"),
    it.state === "draining" ? button("Disable", "", it.name, "disable") : null);
  const made = node("tr", "", node("td", "", node("b", "", it.name), node("small", "mono", `tcp ${it.address}`)),
    node("td", "", node("span", `pill ${it.state}`, it.state), note ? node("small", "", note) : null),
    node("td", "", balancer.name, node("small", "", `${balancer.algorithm}, ${balancer.listen}`)),
    node("td", "number", it.connections.toLocaleString("en")), node("td", "number", it.total.toLocaleString("en")),
    node("td", "number", bytes(it.to_server)), node("td", "number", bytes(it.to_client)), actions);
  made.dataset.name = it.name;
  made.dataset.state = it.state;
  return made;
}

function drawBalancers(balancers) {
  at("balancers-card").hidden = balancers.length === 0;
  const sum = key => balancers.reduce((sum, it) => sum + it[key], 0);
  say("balancers-note", `${plural(sum("refused"), "connection")} refused, ${sum("idled").toLocaleString("en")} closed for silence`);
  const body = at("balancers").tBodies[0];
  if (!body.querySelector("button:active")) body.replaceChildren(...balancers.flatMap(it => it.servers.map(one => connectionRow(it, one))));
}

function draw(status) {
  drawBalancers(status.l4);

  const sum = key => status.destinations.reduce((sum, it) => sum + it[key], 0);
  const total = sum("total");
  say("calls-now", sum("calls").toLocaleString("en"));
  say("calls-note", `${sum("setup").toLocaleString("en")} being set up`);
  if (last) {
    const seconds = (status.now - last.now) / 1000;
    if (seconds > 0) say("rate", Math.max(0, (total - last.total) / seconds).toFixed(0));
  }
  say("rate-note", `${plural(total, "call")} so far`);
  last = { now: status.now, total };
  const up = status.destinations.filter(it => it.state === "active" || it.state === "trying").length;
  say("up", `${up} of ${status.destinations.length}`);
  say("up-note", status.peers === null ? plural(status.shards, "shard") : `${plural(status.shards, "shard")}, ${plural(status.peers, "other dispatcher")}`);
  const invite = status.latency.find(it => it.method === "INVITE" && it.class.startsWith("request"));
  say("latency", invite ? micros(invite.median) : "–");
  say("latency-note", invite ? `99 of 100 below ${micros(invite.p99)}` : "\u00a0");
  say("uptime", span(status.now - status.started));
  say("version", `list ${status.version}`);
  at("unready").hidden = status.ready;
  say("destinations-note", "the mark shows what the weight promises");
  const body = at("destinations").tBodies[0];
  // A button under the pointer stays the same one.
  if (!body.querySelector("button:active")) body.replaceChildren(...status.destinations.map(row));
  at("destinations").hidden = status.destinations.length === 0;
  at("no-destinations").hidden = status.destinations.length > 0;
  say("no-destinations-text", "There are none.");
  // Who balances connections alone has no use for what is of SIP.
  const isAlone = status.destinations.length === 0 && status.l4.length > 0;
  for (const part of document.querySelectorAll("[data-sip]")) part.hidden = isAlone;
  at("journal").replaceChildren(...status.journal.map(line => {
    const time = node("time", "", new Date(line.at).toLocaleTimeString("en-GB"));
    return node("li", "", time, node("b", "", line.destination || ""), node("span", "", line.what));
  }));
  const messages = Object.entries(status.messages).filter(([, count]) => count > 0);
  at("messages").replaceChildren(...messages.map(([fate, count]) =>
    node("li", "", node("span", "", fate), node("span", "size", count.toLocaleString("en")))));
}

async function look() {
  try {
    draw(await ask("GET", "/status"));
    live("live", "live");
  } catch (error) {
    live("lost", "not connected");
  }
}

at("ask").addEventListener("submit", async event => {
  event.preventDefault();
  try {
    const it = await ask("GET", `/explain?call_id=${encodeURIComponent(at("call-id").value)}`);
    const list = node("ol", "", ...it.candidates.map(one => {
      const score = one.score === null ? "" : ` · score ${one.score.toFixed(2)}`;
      return node("li", one.open ? "" : "closed", `${one.name}${score}${one.closed ? ` · ${one.closed}` : ""}`);
    }));
    at("answer").replaceChildren(node("p", "", node("b", "", it.chosen || "not decided yet"), `: ${it.why}`), list);
  } catch (error) { toast(error.message); }
});

(async function loop() {
  await look();
  setTimeout(loop, 1000);
})();
