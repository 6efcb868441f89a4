// Small helps that every page works without.

// A form is sent once: the second press of an impatient finger is ignored until the answer is here.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent === "yes") {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  window.setTimeout(() => delete form.dataset.sent, Number(form.dataset.patience ?? 8000)); // milliseconds
});

// The list of problems is read out and seen first.
document.querySelector(".problems")?.focus();

// "All of them" above a list of check boxes.
for (const all of document.querySelectorAll("[data-check-all]")) {
  const boxes = () => document.querySelectorAll(`input[type=checkbox][name="${all.dataset.checkAll}"]`);
  all.addEventListener("change", () => boxes().forEach((box) => { box.checked = all.checked; }));
}

// Print without opening a menu.
for (const button of document.querySelectorAll("[data-print]")) {
  button.addEventListener("click", () => window.print());
}

// A document that is being made: the bar and its words move by themselves, and the page is shown anew when its state changes.
const making = document.querySelector("[data-poll]");
if (making) {
  const bar = making.querySelector("progress");
  const say = (selector, words) => {
    const place = making.querySelector(selector);
    if (place.textContent !== words) place.textContent = words; // what did not change is not read out again
  };
  const ask = async () => {
    const answer = await fetch(making.dataset.poll, { headers: { Accept: "application/json" } });
    return answer.ok ? answer.json() : { state: "unknown" };
  };
  const look = async () => {
    const job = await ask().catch(() => null); // the network may be away for a moment: it is asked again
    if (job?.state === "unknown") return;
    if (job && job.state !== making.dataset.state) {
      window.location.reload();
      return;
    }
    if (job) {
      bar.max = job.total || 1;
      bar.value = job.done;
      say("[data-percent]", `${Math.floor((job.done * 100) / bar.max)}%`);
      say("[data-doing]", job.doing);
    }
    window.setTimeout(look, 1500);
  };
  window.setTimeout(look, 1500);
}

// A pointer on a patch of a picture opens what its number in the table behind the picture opens: there it is a link.
document.addEventListener("click", (event) => {
  const patch = event.target.closest("[data-at]");
  if (!patch) return;
  const table = patch.closest("figure").querySelector("table") ?? document.querySelector("#matrix table");
  const [row, column] = patch.dataset.at.split(" ").map(Number);
  const links = table?.tBodies[0].rows[row]?.cells[column + 1]?.querySelectorAll("a:not([class^=badge])");
  if (links?.length) links[links.length - 1].click();
});
