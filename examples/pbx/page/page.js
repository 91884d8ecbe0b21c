// Draws the picture that /events sends. Everything from the network is set as text, never as markup.
"use strict";

function side(person) {
  const cell = node("td", "", node("b", "", person.number));
  if (person.name && person.name !== person.number) cell.append(" " + person.name);
  if (person.held) cell.append(" ", node("span", "pill held", "on hold"));
  cell.append(node("small", "mono", person.address));
  return cell;
}

function heard(media) {
  if (!media) return node("td", "", "–");
  if (media.packets === 0) return node("td", "", node("span", "loss", "nothing yet"));
  const expected = media.packets + media.lost;
  const loss = expected > 0 ? 100 * media.lost / expected : 0;
  const shown = loss === 0 ? "0 %" : loss < 0.1 ? "< 0.1 %" : `${loss.toFixed(1)} %`;
  const style = loss >= 3 ? "loss much" : loss > 0 ? "loss some" : "loss";
  return node("td", "", node("span", style, `${shown} lost`),
    node("small", "", `${media.jitter.toFixed(1)} ms jitter · ${media.packets.toLocaleString("en")} packets`));
}

function drawCalls() {
  const body = at("calls").tBodies[0];
  const known = new Map([...body.rows].map(row => [row.dataset.id, row]));
  const rows = picture.calls.map(call => {
    const callee = call.callee
      ? side(call.callee)
      : node("td", "", node("b", "", call.dialled));
    const step = call.step;
    callee.append(node("small", "", `${call.application}(${call.data}) at ${step.extension}@${step.context}:${step.priority}`));
    if (call.others.length > 0) callee.append(node("small", "", `and ${plural(call.others.length, "other")} called`));
    const old = known.get(String(call.id));
    const button = old ? old.querySelector("button") : hangupButton(call.id);
    const row = node("tr", "",
      side(call.caller), node("td", "arrow", "→"), callee,
      node("td", "", node("span", "pill " + call.state, call.state)),
      node("td", "number", ticking(call.answered ?? call.started)),
      node("td", "mono", call.codec ?? "–"),
      heard(call.caller.media), call.callee ? heard(call.callee.media) : node("td", "", "–"),
      node("td", "narrow", button));
    row.dataset.id = call.id;
    return row;
  });
  const focused = document.activeElement;
  body.replaceChildren(...rows);
  if (focused && focused.isConnected) focused.focus();
  at("calls").hidden = rows.length === 0;
  at("no-calls").hidden = rows.length > 0;
  say("calls-more", picture.calls_total > rows.length ? `the oldest ${rows.length} of ${picture.calls_total}` : "");
  say("hint", picture.extensions.length === 0 ? ""
    : "Try " + picture.extensions.map(it => `${it.number} (${it.teaches})`).join(" or ") + ".");
}

function hangupButton(id) {
  const button = node("button", "", "Hang up");
  button.type = "button";
  button.addEventListener("click", async () => {
    button.disabled = true;
    if (!await order(`/calls/${id}/hangup`)) button.disabled = false;
  });
  return button;
}

function drawAccounts() {
  const rows = [];
  for (const account of picture.accounts) {
    const name = () => node("td", "", node("b", "", account.name), account.caller_id ? " " + account.caller_id : null,
      node("small", "", `context ${account.context}`));
    for (const phone of account.bindings) {
      rows.push(node("tr", "", name(),
        node("td", "", phone.reachable ? node("span", "pill on", "registered") : node("span", "pill lost", "unreachable")),
        node("td", "mono", phone.address), node("td", "", phone.transport), node("td", "", phone.user_agent ?? "–"),
        node("td", "number", ticking(phone.since)), node("td", "number", span(phone.expires * 1000))));
    }
    if (account.bindings.length === 0) {
      rows.push(node("tr", "", name(), node("td", "", node("span", "pill", "not registered")),
        node("td", "", "–"), node("td", "", "–"), node("td", "", "–"), node("td", "number", "–"), node("td", "number", "–")));
    }
  }
  at("accounts").tBodies[0].replaceChildren(...rows);
  at("accounts").hidden = rows.length === 0;
  at("no-accounts").hidden = rows.length > 0;
}

const bits = rate => rate < 1000 ? `${rate} bit/s` : rate < 1e6 ? `${(rate / 1000).toFixed(1)} kbit/s` : `${(rate / 1e6).toFixed(2)} Mbit/s`;

function flow(way, calls) {
  const each = calls > 0 ? `${bits(Math.round(way.rate / calls))} a call` : plural(way.datagrams, "datagram");
  return node("td", "number", bits(way.rate), node("small", "", each));
}

function drawTrunks() {
  const { iax } = picture;
  at("trunks-card").hidden = !iax || (iax.peers.length === 0 && iax.registrations.length === 0);
  if (at("trunks-card").hidden) return;
  const looks = { OK: "on", LAGGED: "ringing", UNREACHABLE: "lost" };
  const words = { OK: "reachable", LAGGED: "slow", UNREACHABLE: "unreachable", UNKNOWN: "not registered", Unmonitored: "not watched" };
  at("trunks").tBodies[0].replaceChildren(...iax.peers.map(peer => {
    const word = peer.state === "UNKNOWN" && peer.address ? "asked" : words[peer.state] ?? peer.state;
    return node("tr", "",
      node("td", "", node("b", "", peer.name), peer.trunk ? " " : null, peer.trunk ? node("span", "pill calling", "trunk") : null,
        node("small", "", `context ${peer.context}`)),
      node("td", "", node("span", "pill " + (looks[peer.state] ?? ""), word)),
      node("td", "number", peer.delay === null ? "–" : `${peer.delay.toFixed(1)} ms`),
      node("td", "mono", peer.address ?? "–"), node("td", "number", peer.calls.toLocaleString("en")),
      flow(peer.sent, peer.calls), flow(peer.received, peer.calls),
      node("td", "number", peer.sent.trunk_frames.toLocaleString("en"),
        node("small", "", `${peer.received.trunk_frames.toLocaleString("en")} came`)));
  }));
  at("registrations").hidden = iax.registrations.length === 0;
  at("registrations").tBodies[0].replaceChildren(...iax.registrations.map(it => node("tr", "",
    node("td", "mono", it.host), node("td", "", node("b", "", it.username)),
    node("td", "", node("span", "pill " + (it.state === "Registered" ? "on" : "lost"), it.state.toLowerCase())),
    node("td", "mono", it.perceived ?? "–"), node("td", "number", it.since ? ticking(it.since) : "–"))));
  say("trunks-note", `${bits(iax.sent.rate)} out, ${bits(iax.received.rate)} in`);
}

function bars(id, entries) {
  at(id).replaceChildren(...entries.map(([name, size, limit]) => {
    const shown = limit ? `${size.toLocaleString("en")} of ${limit.toLocaleString("en")}` : size.toLocaleString("en");
    const item = node("li", "", node("span", "", name.replaceAll("_", " ")), node("span", "size", shown));
    if (limit) {
      const meter = node("meter");
      Object.assign(meter, { min: 0, max: limit, value: size, low: limit * 0.7, high: limit * 0.9, optimum: 0 });
      meter.title = `${name}: ${shown}`;
      item.append(meter);
    }
    return item;
  }));
}

function draw() {
  const { totals } = picture;
  const phones = picture.accounts.flatMap(account => account.bindings);
  const ended = Object.values(totals.calls).reduce((sum, count) => sum + count, 0);
  const ringing = picture.calls.filter(call => call.state === "ringing" || call.state === "calling").length;
  at("draining").hidden = !picture.draining;
  say("calls-now", picture.calls_total.toLocaleString("en"));
  say("calls-note", ringing > 0 ? `${ringing} ringing` : picture.calls_total > 0 ? "all answered" : "quiet");
  say("phones", phones.length.toLocaleString("en"));
  say("phones-note", `of ${plural(picture.accounts.length, "account")}`);
  say("calls-ended", ended.toLocaleString("en"));
  say("ended-note", ended === 0 ? "none ended yet" : `${(totals.calls.ANSWERED ?? 0).toLocaleString("en")} answered`);
  say("packets", (totals.rtp.received ?? 0).toLocaleString("en", { notation: "compact", maximumFractionDigits: 1 }));
  say("packets-note", `${(totals.rtp.lost ?? 0).toLocaleString("en")} lost before us`);
  say("listeners", picture.listeners.join(", "));
  at("listeners").title = picture.listeners.join(", ");
  drawCalls();
  drawTrunks();
  drawAccounts();
  bars("tables", picture.tables.map(table => [table.name, table.size, table.limit]));
  const refusals = Object.entries(totals.refusals).filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1]);
  bars("refusals", refusals.map(([name, count]) => [name, count, null]));
  at("refusals").hidden = refusals.length === 0;
  at("no-refusals").hidden = refusals.length > 0;
  say("refusals-note", refusals.length > 0 ? "by reason, since the start" : "");
  document.title = picture.calls_total > 0 ? `(${picture.calls_total}) Tandem PBX` : "Tandem PBX";
  tick();
}

setInterval(tick, 1000);
listen();
