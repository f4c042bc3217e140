// Moves the prompt to the end of the body, out of whatever element the page left open around it,
// and keeps it from standing there twice after a page swap by script.
(() => {
  const all = document.querySelectorAll("aside.askonce");
  const one = all[all.length - 1];
  all.forEach((other) => other !== one && other.remove());
  if (!one) return;
  if (one.parentElement !== document.body) document.body.append(one);
  const link = one.querySelector("a");
  if (link) link.addEventListener("click", () => setTimeout(() => one.remove()), { once: true });
})();
