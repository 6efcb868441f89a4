// Ticking: counts that a suggested duty asks for show when it is chosen; another day of the act brings other suggestions.

const also = document.querySelector("#also");
const day = document.querySelector("#act_on");

const wanted = () => new Set(
  [...also.querySelectorAll("input[name=also]:checked")].flatMap((box) => box.dataset.counts.split(" ")),
);

const showCounts = () => {
  const kinds = wanted();
  for (const field of also.querySelectorAll("[data-count]")) field.hidden = !kinds.has(field.dataset.count);
};

const renew = async () => {
  if (!day.value) return;
  const checked = new Set([...also.querySelectorAll("input[name=also]:checked")].map((box) => box.value));
  const entered = new Map([...also.querySelectorAll("[data-count] input")].map((input) => [input.name, input.value]));
  const answer = await fetch(`${also.dataset.url}?act_on=${encodeURIComponent(day.value)}`);
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  also.replaceChildren(...page.querySelector("#also").childNodes);
  also.querySelectorAll("input[name=also]").forEach((box) => { box.checked = checked.has(box.value); });
  also.querySelectorAll("[data-count] input").forEach((input) => { input.value = entered.get(input.name) ?? ""; });
  showCounts();
};

if (also && day) {
  also.addEventListener("change", showCounts);
  day.addEventListener("change", renew);
  showCounts();
}
