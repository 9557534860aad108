// Keys of the pages. All that they do can be done with Tab, Space and Enter too.
(() => {
  const rows = () => [...document.querySelectorAll("tr[data-run]")];
  let at = -1;
  const go = (to) => {
    const all = rows();
    if (!all.length) return;
    at = Math.max(0, Math.min(all.length - 1, to));
    all.forEach((row, n) => row.classList.toggle("at", n === at));
    const link = all[at].querySelector("a");
    link.focus();
    all[at].scrollIntoView({ block: "nearest" });
  };
  const tick = (side) => {
    const row = rows()[at];
    const box = row && row.querySelector(`input[name=${side}]`);
    if (box) box.checked = !box.checked;
  };
  const keys = document.getElementById("keys");
  document.addEventListener("focusin", (event) => {
    const row = event.target.closest && event.target.closest("tr[data-run]");
    if (row) at = rows().indexOf(row);
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches && event.target.matches("input[type=search],select,textarea");
    if (typing) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const search = document.getElementById("search");
    const compare = document.getElementById("compare");
    const actions = {
      j: () => go(at + 1),
      k: () => go(at - 1),
      b: () => tick("base"),
      n: () => tick("new"),
      c: () => compare && compare.requestSubmit(),
      "/": () => search && search.focus(),
      "?": () => (keys.open ? keys.close() : keys.showModal()),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
})();
