// Once a second, everything that is marked data-live becomes what it is by now:
// nobody needs to reload to see a webhook arrive.
const refresh = async () => {
  const now = new DOMParser().parseFromString(await (await fetch("/demo/live")).text(), "text/html");
  for (const fresh of now.querySelectorAll("[data-live]")) {
    const old = document.getElementById(fresh.id);
    if (old.innerHTML !== fresh.innerHTML) old.innerHTML = fresh.innerHTML;
  }
};
const update = () => refresh().catch(() => {}); // the app is being restarted
setInterval(update, 1000);
document.addEventListener("visibilitychange", update); // browsers slow down what nobody sees
