// What was typed into a form stays in this tab until it has arrived: a session that ended meanwhile loses no word of it.
// Files cannot be kept, and passwords are not.

const PREFIX = "typed ";
const TOO_OLD = 12 * 3600 * 1000; // milliseconds
const person = document.body.dataset.person;
const refused = "refused" in document.body.dataset;

const pathOf = (address) => (address ? new URL(address, window.location.href).pathname : "");
const fieldsOf = (form) => [...form.elements].filter(
  (field) => field.name && !field.disabled && !["hidden", "file", "password", "submit"].includes(field.type),
);
const formsHere = () => [...document.querySelectorAll("form[method=post]")].filter((form) => form.querySelector("textarea"));
const keysHere = () => Object.keys(window.sessionStorage).filter((key) => key.startsWith(PREFIX));
const read = (key) => JSON.parse(window.sessionStorage.getItem(key));

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || !person || !formsHere().includes(form)) return;
  const values = fieldsOf(form).map((field) => [field.name, field.value, field.checked ?? null]);
  const entry = { person, page: window.location.pathname, form: pathOf(form.action), at: Date.now(), values };
  window.sessionStorage.setItem(`${PREFIX}${entry.page} ${entry.form}`, JSON.stringify(entry));
});

const putBack = (form, values) => {
  for (const field of fieldsOf(form)) {
    const boxes = field.type === "checkbox" || field.type === "radio";
    const found = values.find(([name, value]) => name === field.name && (!boxes || value === field.value));
    if (found && boxes) field.checked = found[2];
    else if (found) field.value = found[1];
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }
  const told = document.createElement("p");
  told.className = "notice";
  told.setAttribute("role", "status");
  told.textContent = document.body.dataset.putBack;
  form.before(told);
};

for (const key of keysHere()) {
  const entry = read(key);
  const cameFromThere = pathOf(document.referrer) === entry.page; // so this page is what came of it
  if (Date.now() - entry.at > TOO_OLD || (person && person !== entry.person)) {
    window.sessionStorage.removeItem(key);
  } else if (refused || !person) {
    document.querySelector("[data-kept]")?.removeAttribute("hidden");
  } else if (cameFromThere || window.location.pathname === entry.page) {
    const form = cameFromThere ? null : formsHere().find((one) => pathOf(one.action) === entry.form);
    if (form) putBack(form, entry.values);
    window.sessionStorage.removeItem(key);
  }
}
