// Keeps the page fresh. Everything can be read without it.
//
// Figures are renewed where they stand. What would move the page (a new card, a
// service that stopped) is announced in a bar at the bottom and shown when it is
// tapped, so that nothing slides away under a thumb.
"use strict";
(() => {
  const EVERY = 15000;
  const UNTOUCHED = 300000;
  const PARTS = ["notices", "firing", "pending", "services", "sites", "probes", "heartbeats", "peers", "host", "changes", "watch"];
  const $ = (id) => document.getElementById(id);
  const news = $("news");
  let ahead = serverAhead(document);
  let touched = Date.now();
  let waiting = null;
  let timer = 0;
  let failures = 0;
  let answered = $("top").querySelector("time").textContent;

  function serverAhead(page) {
    return Number(page.body.dataset.now) - Date.now();
  }

  // The same words as the server's: 40 s, 4 min, 2 h 05, 3 d.
  function words(ms) {
    const s = Math.max(0, Math.floor(ms / 1000));
    if (s < 60) return s + " s";
    if (s < 3600) return Math.floor(s / 60) + " min";
    if (s < 172800) return Math.floor(s / 3600) + " h " + String(Math.floor((s % 3600) / 60)).padStart(2, "0");
    return Math.floor(s / 86400) + " d";
  }

  function age() {
    const now = Date.now() + ahead;
    for (const el of document.querySelectorAll(".ago")) {
      const text = words(now - Date.parse(el.dataset.at || el.previousElementSibling.dateTime));
      if (el.textContent !== text) el.textContent = text;
    }
  }

  const keyed = (page) => {
    const all = new Map();
    for (const id of PARTS) {
      for (const el of page.getElementById(id).querySelectorAll("[data-say]")) {
        all.set(id + " " + el.dataset.key, el);
      }
    }
    return all;
  };

  // Where the focus is, in words that survive the renewal of a part.
  function place(el) {
    const path = [];
    for (let at = el; at && at !== document.body; at = at.parentElement) {
      if (at.id) return { find: "#" + CSS.escape(at.id), path };
      if (at.dataset.say) return { find: `[data-key="${CSS.escape(at.dataset.key)}"][data-say]`, path };
      path.unshift(Array.prototype.indexOf.call(at.parentElement.children, at));
    }
    return null;
  }

  function renew(id, page) {
    const old = $(id);
    const next = page.getElementById(id);
    const focus = old.contains(document.activeElement) ? place(document.activeElement) : null;
    const name = (el) => {
      const owner = el.parentElement.closest("[data-key]");
      return (owner ? owner.dataset.key : "") + " " + el.dataset.key;
    };
    const open = new Map();
    for (const el of old.querySelectorAll("details")) open.set(name(el), el.open);
    for (const el of next.querySelectorAll("details")) if (open.has(name(el))) el.open = open.get(name(el));
    copyButtons(next);
    if (old.innerHTML === next.innerHTML) return;
    old.replaceWith(document.adoptNode(next));
    if (!focus) return;
    let at = document.querySelector(focus.find);
    for (const step of focus.path) at = at && at.children[step];
    if (at) at.focus({ preventScroll: true });
  }

  function show(page) {
    document.title = page.title;
    document.body.className = page.body.className;
    for (const id of ["top", "verdict"]) renew(id, page);
  }

  function settle(page) {
    waiting = null;
    news.hidden = true;
    for (const id of PARTS) renew(id, page);
    age();
  }

  function take(page) {
    ahead = serverAhead(page);
    const before = keyed(document);
    const after = keyed(page);
    const fresh = [...after].filter(([key]) => !before.has(key)).map(([, el]) => el);
    const gone = [...before].filter(([key]) => !after.has(key)).length;
    const critical = fresh.filter((el) => el.matches(".card.critical:not(.muted)"));
    const unsaid = critical.filter((el) => !said.has(el.dataset.key));
    if (unsaid.length) $("say").textContent = "New critical: " + unsaid.map((el) => el.dataset.say).join(". ");
    said = new Set([...page.querySelectorAll(".card.critical:not(.muted)")].map((el) => el.dataset.key));
    show(page);
    if (!(fresh.length || gone) || Date.now() - touched > UNTOUCHED) return settle(page);
    waiting = page;
    const what = [];
    if (fresh.length) what.push(fresh.length + " new");
    if (gone) what.push(gone + " ended");
    news.textContent = (critical.length ? critical[0].dataset.say.slice(0, 60) + ": " : "") + what.join(", ") + ". Tap to show";
    news.className = critical.length ? "critical" : "";
    news.hidden = false;
    age();
  }
  let said = new Set([...document.querySelectorAll(".card.critical")].map((el) => el.dataset.key));

  async function poll() {
    clearTimeout(timer);
    try {
      const answer = await fetch(location.pathname, { cache: "no-store", signal: AbortSignal.timeout(10000) });
      if (!answer.ok) throw new Error(answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!PARTS.concat("top", "verdict").every((id) => page.getElementById(id))) throw new Error("not the page");
      failures = 0;
      offline(false);
      take(page);
      answered = $("top").querySelector("time").textContent;
    } catch {
      failures += 1;
      if (failures > 1) offline(true);
    }
    if (!document.hidden) timer = setTimeout(poll, EVERY);
  }

  function offline(yes) {
    $("offline").hidden = !yes;
    $("offline").querySelector("b").textContent = answered;
    document.body.classList.toggle("offline", yes);
  }

  function copyButtons(within) {
    if (!navigator.clipboard) return;
    for (const code of within.querySelectorAll("[data-copy]")) {
      if (code.nextElementSibling && code.nextElementSibling.matches("button")) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Copy";
      button.setAttribute("aria-label", "Copy " + code.textContent);
      code.after(button);
    }
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy] + button");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.previousElementSibling.textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  news.addEventListener("click", () => {
    if (!waiting) return;
    const before = keyed(document);
    settle(waiting);
    const fresh = [...keyed(document)].find(([key]) => !before.has(key));
    const target = fresh ? fresh[1] : $("verdict");
    target.tabIndex = -1;
    target.focus();
  });
  for (const kind of ["pointerdown", "keydown", "scroll"]) {
    addEventListener(kind, () => { touched = Date.now(); }, { passive: true });
  }
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (!document.hidden) poll();
  });

  $("live").textContent = "Renewed every 15 s.";
  copyButtons(document);
  age();
  setInterval(age, 1000);
  timer = setTimeout(poll, EVERY);
})();
