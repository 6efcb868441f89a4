// Files: drop them, see what was chosen, and learn of a limit before anything is sent. Everything works without this.

const megabytes = (bytes) => (bytes >= 1048576 ? `${(bytes / 1048576).toFixed(1)} MB` : `${Math.max(1, Math.ceil(bytes / 1024))} KB`);

for (const box of document.querySelectorAll("[data-drop]")) {
  const inputs = [...box.querySelectorAll("input[type=file]")];
  const main = inputs[0];
  const list = box.querySelector(".picked");
  const chosen = () => inputs.flatMap((input) => [...input.files]);

  const hint = document.createElement("p");
  hint.className = "help drop-hint";
  hint.textContent = box.dataset.dropHere;
  main.after(hint);

  const show = () => {
    const files = chosen();
    const total = files.reduce((sum, file) => sum + file.size, 0);
    list.replaceChildren(...files.map((file) => {
      const item = document.createElement("li");
      const large = file.size > Number(box.dataset.fileLimit);
      item.textContent = `${file.name} · ${megabytes(file.size)}${large ? ` · ⚠ ${box.dataset.tooLarge}` : ""}`;
      item.className = large ? "error" : "";
      return item;
    }));
    if (total > Number(box.dataset.requestLimit)) {
      const item = document.createElement("li");
      item.className = "error";
      item.textContent = `⚠ ${box.dataset.tooMany}`;
      list.append(item);
    }
  };
  inputs.forEach((input) => input.addEventListener("change", show));

  box.addEventListener("dragover", (event) => {
    event.preventDefault();
    box.classList.add("over");
  });
  box.addEventListener("dragleave", () => box.classList.remove("over"));
  box.addEventListener("drop", (event) => {
    event.preventDefault();
    box.classList.remove("over");
    const all = new DataTransfer();
    [...main.files, ...event.dataTransfer.files].forEach((file) => all.items.add(file));
    main.files = all.files;
    show();
  });
}
