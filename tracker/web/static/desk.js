// The inspectors' desk: one key for each verdict, the next duties asked for ahead of time, nothing lost on the way.

const desk = document.querySelector("[data-desk]");
const parts = document.querySelector("[data-parts]");
const lines = [...desk.querySelectorAll(".queue-list > li")];
const say = desk.dataset;
const NEEDS_A_REASON = ["partly", "missing", "not_applicable"];
const LOOK = 600; // the second click of a double click, or a key that bounced, is not a look at the next duty
const NARROW = "(max-width: 61.99rem)";
const AHEAD = 2; // duties that are held and loaded before they are asked for
const PULSE = 45_000;
const RETRY = 5_000;
const AWAY = 600_000; // nobody has touched anything for so long: the duty is let go of, and signing in may lapse

// ---- what stays on this machine: notes that are not saved, verdicts on their way, the place in the queue

const shelf = {
  name: (what) => `desk/${say.me}/${say.number}/${what}`,
  read(what, otherwise = null) {
    try { return JSON.parse(localStorage.getItem(this.name(what))) ?? otherwise; } catch { return otherwise; }
  },
  write(what, value) {
    try { localStorage.setItem(this.name(what), JSON.stringify(value)); } catch { /* a full or closed shelf keeps nothing */ }
  },
  drop(what) {
    try { localStorage.removeItem(this.name(what)); } catch { /* nothing was kept */ }
  },
};

// ---- small helps

const lineOf = (key) => lines.find((line) => line.dataset.key === key);
const isFree = (line) => !line.dataset.verdict && !line.dataset.held;
const address = (name, key) => say[name].replace("KEY", key);
const token = () => desk.querySelector("[data-token-form] input[name=csrf_token]").value;
const form = () => parts.querySelector("[data-verdict-form]");
const note = () => parts.querySelector("#note");
const tell = (sentence, isSaved = false) => {
  const place = document.querySelector("[data-said]");
  place.textContent = sentence;
  place.classList.toggle("is-saved", isSaved);
};

const JSON_PLEASE = { Accept: "application/json" };
let isOut = false; // the session has ended: nothing more is loaded, verdicts are kept

const post = (url, fields) => {
  const body = new URLSearchParams([["csrf_token", token()], ...fields]);
  return fetch(url, { method: "POST", body, headers: JSON_PLEASE });
};

// A session that was begun in another tab has a token of its own; whoever else signed in there sends nothing of ours.
const renewToken = async () => {
  const told = await fetch(say.token, { headers: JSON_PLEASE }).then((answer) => answer.json()).catch(() => ({}));
  if (told.me !== say.me) return false;
  desk.querySelector("[data-token-form] input[name=csrf_token]").value = told.token;
  return true;
};

// The answer, or nothing where nobody is signed in, or somebody else.
const send = async (url, fields) => {
  let answer = await post(url, fields);
  if ([400, 401].includes(answer.status)) answer = (await renewToken()) ? await post(url, fields) : null;
  if (answer?.status === 401) answer = null;
  if (isOut && answer?.ok) tell("");
  isOut = !answer;
  if (isOut) tell(say.saySignedOut);
  return answer;
};

const mark = (line, badge) => {
  const place = line.querySelector("[data-mark]");
  place.replaceChildren(...(badge ? [badge] : []));
};
const badgeOf = (value) => desk.querySelector(`template[data-badge="${value}"]`).content.cloneNode(true);
const held = (who) => {
  const badge = document.createElement("span");
  badge.className = "badge-waiting";
  badge.textContent = say.sayHolding.replace("WHO", who);
  return badge;
};
const show = (line) => {
  if (line.dataset.verdict) mark(line, badgeOf(line.dataset.verdict));
  else mark(line, line.dataset.held ? held(line.dataset.held) : null);
};

// ---- icons: their file is read once and kept in the page; a browser that lost the network once would draw them no more

const SVG = "http://www.w3.org/2000/svg";
const outside = desk.querySelector("use")?.getAttribute("href") ?? document.querySelector("use").getAttribute("href");
const sprite = fetch(outside.split("#")[0])
  .then((answer) => answer.text())
  .then((text) => new DOMParser().parseFromString(text, "image/svg+xml"));
const own = document.body.appendChild(document.createElementNS(SVG, "svg"));
own.setAttribute("hidden", "");
own.setAttribute("aria-hidden", "true");

const ownIcons = async (roots) => {
  const symbols = await sprite.catch(() => null);
  if (!symbols) return;
  for (const use of roots.flatMap((root) => [...root.querySelectorAll("use[href*='.svg#']")])) {
    const name = use.getAttribute("href").split("#")[1];
    const symbol = symbols.getElementById(name);
    if (symbol && !own.querySelector(`#icon-${name}`)) {
      own.append(document.importNode(symbol, true));
      own.lastChild.id = `icon-${name}`;
    }
    if (symbol) use.setAttribute("href", `#icon-${name}`);
  }
};

// ---- the next duties, ready before they are wanted

let current = parts.querySelector("[data-duty]")?.dataset.duty ?? null;
const ready = new Map(); // key → the two sections, once they are here
const asked = new Map(); // key → the promise of them
let sending = Promise.resolve();

// How many of the next duties can be shown at once, their first pictures included.
const countAhead = () => { desk.dataset.ahead = [...ready.values()].filter((sections) => sections.drawn).length; };

const read = (html) => {
  const page = new DOMParser().parseFromString(html, "text/html");
  const sections = [...page.body.children].map((section) => document.importNode(section, true));
  ownIcons(sections);
  const first = sections.map((section) => section.querySelector("[data-page] img")).find(Boolean);
  const drawn = first ? first.decode().catch(() => {}) : Promise.resolve(); // it is drawn before it is shown
  drawn.then(() => { sections.drawn = true; countAhead(); });
  return sections;
};

const ask = (key) => {
  if (!asked.has(key)) asked.set(key, fetchDuty(key).finally(() => asked.delete(key)));
  return asked.get(key);
};

const fetchDuty = async (key) => {
  if (outbox().some((one) => one.key === key)) await sending;
  const answer = await send(address("open", key), []);
  if (!answer) throw new Error("signed out");
  if (answer.status === 409) { // somebody was faster, or the check is closed: the queue knows
    await pulse();
    return null;
  }
  if (!answer.ok) throw new Error(String(answer.status));
  const sections = read((await answer.json()).html);
  ready.set(key, sections);
  countAhead();
  return sections;
};

const following = (key, count = 1) => {
  const at = lines.findIndex((line) => line.dataset.key === key);
  return [...lines.slice(at + 1), ...lines.slice(0, at)].filter(isFree).slice(0, count).map((line) => line.dataset.key);
};

const askAhead = () => {
  if (!say.judging || !current || isOut) return;
  const wanted = following(current, AHEAD);
  const over = [...ready.keys()].filter((key) => !wanted.includes(key) && key !== current);
  over.forEach((key) => ready.delete(key));
  if (over.length) pulse(over);
  for (const key of wanted) if (!ready.has(key)) ask(key).catch(() => {});
};

let shownAt = -Infinity; // since when the duty on the desk can be seen

const place = (key, sections) => {
  current = key;
  shownAt = performance.now();
  revising = "";
  ready.delete(key);
  countAhead();
  parts.replaceChildren(...sections);
  lines.forEach((line) => {
    if (line.dataset.key === key) line.setAttribute("aria-current", "true");
    else line.removeAttribute("aria-current");
  });
  furnish();
  parts.querySelector("#duty-head").focus({ preventScroll: true });
  requestAnimationFrame(() => {
    if (shownAt > 0) shownAt = performance.now();
    const line = lineOf(key);
    const list = line.parentElement;
    if (line.offsetTop < list.scrollTop || line.offsetTop + line.offsetHeight > list.scrollTop + list.clientHeight) {
      list.scrollTop = line.offsetTop - list.clientHeight / 3;
    }
    if (matchMedia(NARROW).matches) parts.querySelector("[data-duty]").scrollIntoView();
    window.setTimeout(settle, 0);
  });
};

// What need not be there at once.
const settle = async () => {
  const key = current;
  const url = new URL(say.show, location.href);
  url.searchParams.set("duty", key);
  history.replaceState(null, "", url);
  shelf.write("at", key);
  askAhead();
  if (isOut) return;
  const answer = await fetch(address("hints", key), { headers: JSON_PLEASE }).catch(() => null);
  if (!answer?.ok) return;
  const { html } = await answer.json();
  const box = parts.querySelector(`[data-hints-of="${key}"]`);
  if (!box) return;
  box.replaceChildren(...new DOMParser().parseFromString(html, "text/html").body.childNodes);
  ownIcons([box]);
};

const open = async (key) => {
  let sections = ready.get(key);
  if (!sections) {
    parts.setAttribute("aria-busy", "true");
    sections = await ask(key).catch(() => { tell(isOut ? say.saySignedOut : say.sayOffline); });
    parts.removeAttribute("aria-busy");
  }
  if (sections) place(key, sections);
  else if (sections === null && lineOf(key).dataset.held) {
    const [next] = following(key);
    const moves = next && next !== current;
    tell((moves ? say.sayHeldNext : say.sayHeld).replace("WHO", lineOf(key).dataset.held));
    if (moves) await open(next);
  }
};

// ---- verdicts: noted here, sent at once, one after the other

const pending = new Map(); // the same by duty, as this page gave them: to sign out clears the shelf, and takes no verdict

const outbox = () => {
  if (shelf.read("here")) return shelf.read("outbox", []);
  shelf.write("here", true);
  shelf.write("outbox", [...pending.values()]);
  return [...pending.values()];
};
const forget = (key) => {
  pending.delete(key);
  shelf.write("outbox", outbox().filter((one) => one.key !== key));
};
const troubles = new Map(); // key → why its verdict was refused

const showTroubles = () => {
  const box = document.querySelector("[data-trouble]");
  box.replaceChildren(...[...troubles].map(([key, why]) => {
    const row = document.createElement("p");
    const link = document.createElement("a");
    link.href = lineOf(key)?.querySelector("a").href ?? "#";
    link.textContent = say.sayGo;
    link.dataset.goTo = key;
    const what = lineOf(key)?.querySelector("a").textContent.trim() ?? key;
    row.append(`${say.sayRefused} · ${what} · ${why} `, link);
    return row;
  }));
  box.hidden = !troubles.size;
};

const progress = (told) => {
  document.querySelector("[data-progress]").textContent = told.progress;
  document.querySelector(".desk-progress progress").value = told.judged;
};

const refuse = (one, why) => {
  forget(one.key);
  shelf.write(`note/${one.key}`, one.note);
  const line = lineOf(one.key);
  if (line) {
    line.dataset.verdict = one.before;
    show(line);
    line.classList.add("not-saved");
  }
  ready.delete(one.key);
  troubles.set(one.key, why);
  showTroubles();
  tell("");
  pulse();
};

// Two windows of the same person share what is on its way: one sends, the other waits and finds it gone. Browsers lend
// locks to secure pages only; on others the server refuses the second verdict, and nothing is overwritten.
const alone = (act) => (navigator.locks ? navigator.locks.request(shelf.name("outbox"), act) : act());

const deliver = (one) => alone(() => deliverNow(one));

const deliverNow = async (one) => {
  if (!outbox().some((other) => other.key === one.key && other.at === one.at)) return;
  let answer;
  try {
    answer = await send(address("judge", one.key), [["value", one.value], ["note", one.note], ["seen", one.seen]]);
  } catch {
    tell(say.sayUnsaved);
    return;
  }
  if (!answer) return; // kept, as `send` has said
  if (answer.status >= 500) tell(say.sayUnsaved);
  else if (!answer.ok) refuse(one, (await answer.json().catch(() => ({}))).error ?? "");
  else {
    const told = await answer.json();
    forget(one.key);
    shelf.drop(`note/${one.key}`);
    lineOf(one.key)?.classList.remove("not-saved", "saving");
    if (troubles.delete(one.key)) showTroubles();
    tell(told.judged === told.sampled ? `${told.said} · ${say.sayDone}` : told.said, true);
    progress(told);
  }
};

const deliverAll = () => {
  for (const one of outbox()) sending = sending.then(() => deliver(one));
  return sending;
};

// A verdict that stands is not overwritten by one key: the same one again changes nothing, another one is asked for twice.
let revising = "";

const mayRevise = (value, given) => {
  const asked = `${current} ${value}`;
  if (value === given && note().value.trim() === note().defaultValue.trim()) {
    tell(say.saySame);
    return false;
  }
  if (revising === asked) return true;
  revising = asked;
  tell(say.sayRevise);
  return false;
};

const judge = (value) => {
  if (!form()) return;
  if (NEEDS_A_REASON.includes(value) && !note().value.trim()) {
    tell(say.sayReason);
    form().classList.add("wants-reason");
    return;
  }
  if (performance.now() - shownAt < LOOK) {
    tell(say.sayTooSoon);
    return;
  }
  const line = lineOf(current);
  if (line?.dataset.verdict && !mayRevise(value, line.dataset.verdict)) return;
  const seen = parts.querySelector("[data-duty]").dataset.seen;
  const one = { key: current, value, note: note().value, seen, before: line?.dataset.verdict ?? "", at: Date.now() };
  forget(current);
  shelf.write("outbox", [...outbox(), one]);
  pending.set(current, one);
  if (line) {
    line.dataset.verdict = value;
    line.classList.add("saving");
    show(line);
  }
  tell(say.saySaving);
  const [next] = following(current);
  const gone = next ? open(next) : null;
  deliverAll().then(() => gone ?? again(one.key));
};

// The last one stays on the desk, with its verdict.
const again = async (key) => {
  ready.delete(key);
  if (current !== key || outbox().length) return;
  await open(key);
  if (lines.some((line) => !line.dataset.verdict)) tell(say.sayAlone);
};

// ---- the rest of the team

const pulse = async (drop = []) => {
  if (!say.judging) return;
  const keep = [current, ...ready.keys()].filter((key) => key && !drop.includes(key) && !lineOf(key)?.dataset.verdict);
  const fields = [...keep.map((key) => ["keep", key]), ...drop.map((key) => ["drop", key])];
  const answer = await send(say.pulse, fields).catch(() => null);
  if (answer?.status === 409) tell((await answer.json()).error);
  if (!answer?.ok) return;
  const told = await answer.json();
  progress(told);
  const mine = new Set(outbox().map((one) => one.key));
  for (const line of lines) {
    const key = line.dataset.key;
    if (mine.has(key)) continue;
    const now = told.duties[key] ?? { verdict: null, held: null, judge: null };
    const news = now.verdict && !line.dataset.verdict;
    line.dataset.verdict = now.verdict ?? "";
    line.dataset.held = now.held ?? "";
    show(line);
    if (news) ready.delete(key);
    if (news && key === current) tell(say.sayMeanwhile.replace("WHO", now.judge));
  }
};

// ---- a duty on the desk: its note, its files

let view = { file: 1, zoom: 1, turn: 0 };

const pictures = () => [...parts.querySelectorAll(`figure[data-file="${view.file}"] [data-page]`)];

const lay = () => {
  for (const page of pictures()) {
    const image = page.querySelector("img");
    if (!image) continue;
    const upright = view.turn % 2 === 0;
    const ratio = (image.naturalHeight || image.height) / (image.naturalWidth || image.width) || 1;
    const room = page.parentElement.clientWidth * view.zoom;
    page.style.width = `${room}px`;
    page.style.height = upright ? "" : `${room / ratio}px`;
    image.style.width = upright ? `${room}px` : `${room / ratio}px`;
    image.style.transform = view.turn ? `rotate(${view.turn * 90}deg)` : "";
    page.classList.toggle("turned", !upright);
  }
};

const zoom = (factor) => {
  view.zoom = factor ? Math.min(4, Math.max(0.5, view.zoom * factor)) : 1;
  if (!factor) view.turn = 0;
  lay();
};

const turn = () => {
  view.turn = (view.turn + 1) % 4;
  lay();
};

const turnTo = (number) => {
  const files = [...parts.querySelectorAll("figure[data-file]")];
  if (!files.length) return;
  view = { file: ((number - 1 + files.length) % files.length) + 1, zoom: 1, turn: 0 };
  files.forEach((figure) => { figure.hidden = Number(figure.dataset.file) !== view.file; });
  parts.querySelectorAll("[data-tab]").forEach((tab) => {
    if (Number(tab.dataset.tab) === view.file) tab.setAttribute("aria-current", "true");
    else tab.removeAttribute("aria-current");
  });
  parts.querySelector("[data-view]").scrollTop = 0;
  lay();
};

const look = (pages) => {
  const box = parts.querySelector("[data-view]");
  box?.scrollBy({ top: pages * box.clientHeight * 0.85 });
};

const noPicture = (image) => {
  const words = document.createElement("p");
  words.className = "no-preview";
  words.textContent = say.sayNoPicture;
  image.replaceWith(words);
};

const furnish = () => {
  parts.querySelectorAll("[data-tabs], [data-tools], [data-reasons]").forEach((box) => { box.hidden = false; });
  turnTo(1);
  parts.querySelectorAll("[data-page] img").forEach((image) => {
    if (image.complete && !image.naturalWidth && image.loading !== "lazy") noPicture(image);
    image.addEventListener("error", () => noPicture(image));
  });
  const kept = note() ? shelf.read(`note/${current}`) : null;
  if (kept !== null && kept !== note().value) {
    note().value = kept;
    tell(say.sayKept);
  }
};

const choose = (number) => {
  const button = parts.querySelector(`[data-reason="${number}"]`);
  if (!button) return;
  const text = button.querySelector("span").textContent.trim();
  const said = note().value.trim();
  if (said.includes(text)) return;
  note().value = said ? `${said.replace(/[。；;]$/, "")}；${text}` : text;
  note().dispatchEvent(new Event("input", { bubbles: true }));
};

const step = (direction) => {
  const at = lines.findIndex((line) => line.dataset.key === current);
  for (let i = at + direction; i >= 0 && i < lines.length; i += direction) {
    if (!lines[i].dataset.held) return open(lines[i].dataset.key);
  }
  return tell(direction > 0 ? say.sayEnd : say.sayBegin);
};

const goTo = (letter) => {
  const link = parts.querySelector(`[data-go="${letter}"]`);
  if (link) link.click();
  else if (letter === "s") tell(say.sayNoPoints);
};
const firstTrouble = () => { const [key] = troubles.keys(); if (key) open(key); };

// ---- keys

const KEYS = {
  KeyJ: () => step(1),
  KeyK: () => step(-1),
  KeyM: () => judge("met"),
  KeyP: () => judge("partly"),
  KeyX: () => judge("missing"),
  KeyA: () => judge("not_applicable"),
  KeyN: () => {
    note()?.focus();
    note()?.setSelectionRange(note().value.length, note().value.length);
  },
  KeyF: () => goTo("f"),
  KeyS: () => goTo("s"),
  KeyE: () => turnTo(view.file + 1),
  KeyW: () => turnTo(view.file - 1),
  KeyR: turn,
  KeyD: () => look(1),
  KeyU: () => look(-1),
  KeyB: firstTrouble,
  Equal: () => zoom(1.25),
  NumpadAdd: () => zoom(1.25),
  Minus: () => zoom(0.8),
  NumpadSubtract: () => zoom(0.8),
  Digit0: () => zoom(0),
  Numpad0: () => zoom(0),
};
for (let number = 1; number <= 9; number += 1) {
  KEYS[`Digit${number}`] = () => choose(number);
  KEYS[`Numpad${number}`] = () => choose(number);
}
const MAY_REPEAT = new Set(["KeyD", "KeyU", "Equal", "Minus", "NumpadAdd", "NumpadSubtract"]);
const single = desk.querySelector("[data-single]");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  const writing = event.target.matches("textarea, select, input:not([type=checkbox])");
  if (writing && event.key === "Escape") parts.querySelector("#duty-head")?.focus({ preventScroll: true });
  const act = KEYS[event.code];
  if (writing || !act || !single.checked || (event.repeat && !MAY_REPEAT.has(event.code))) return;
  event.preventDefault();
  act();
});

// ---- and the mouse

parts.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-verdict-form]")) return;
  event.preventDefault();
  event.stopPropagation();
  judge(event.submitter.value);
});
parts.addEventListener("click", (event) => {
  const button = event.target.closest("button[type=button]");
  if (!button) return;
  if (button.dataset.reason) choose(button.dataset.reason);
  if (button.dataset.tab) turnTo(Number(button.dataset.tab));
  if (button.dataset.tool) ({ in: () => zoom(1.25), out: () => zoom(0.8), turn })[button.dataset.tool]();
});
parts.addEventListener("input", (event) => {
  if (event.target !== note()) return;
  form().classList.remove("wants-reason");
  shownAt = -Infinity; // whoever writes has looked
  shelf.write(`note/${current}`, event.target.value);
});
parts.addEventListener("load", (event) => { if (event.target.matches("[data-page] img")) lay(); }, true);
desk.querySelector(".queue-list")?.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  open(link.closest("li").dataset.key);
});
document.querySelector("[data-trouble]").addEventListener("click", (event) => {
  const link = event.target.closest("[data-go-to]");
  if (!link || !lineOf(link.dataset.goTo)) return;
  event.preventDefault();
  open(link.dataset.goTo);
});
single.addEventListener("change", () => shelf.write("single", single.checked));

// ---- begin: the place of last time, what was not sent, the next ones

const legend = desk.querySelector("[data-keys]");
legend.hidden = false;
legend.open = shelf.read("legend", !matchMedia(`${NARROW}, (max-height: 56rem)`).matches);
legend.addEventListener("toggle", () => shelf.write("legend", legend.open));
single.checked = shelf.read("single", true);
window.addEventListener("resize", lay);
window.addEventListener("online", deliverAll);
document.addEventListener("visibilitychange", () => { if (!document.hidden) deliverAll().then(() => pulse()); });
let stirred = Date.now();
for (const kind of ["keydown", "pointerdown", "wheel"]) {
  document.addEventListener(kind, () => { stirred = Date.now(); }, { passive: true });
}
window.setInterval(() => { if (!document.hidden && Date.now() - stirred < AWAY) pulse(); }, PULSE);
window.setInterval(() => {
  if (!navigator.onLine) return;
  if (outbox().length) deliverAll();
  else if (isOut && !document.hidden) pulse();
}, RETRY);
ownIcons([document.body, ...desk.querySelectorAll("template")].map((root) => root.content ?? root));
if (current) {
  furnish();
  lineOf(current)?.scrollIntoView({ block: "nearest" });
}
deliverAll().then(() => {
  const at = shelf.read("at");
  const named = new URLSearchParams(location.search).has("duty");
  if (current && !named && at && at !== current && lineOf(at) && isFree(lineOf(at))) open(at);
  else askAhead();
});
