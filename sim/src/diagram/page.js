"use strict";
(() => {
  const world = document.getElementById("world");
  const scroll = document.getElementById("scroll");
  const detail = document.getElementById("detail");
  const full = Number(world.dataset.width);
  const hint = detail.textContent;
  let scale = 1;
  let kept = null;

  // Words of an element: its title, taken out so that the browser shows none of its own.
  const words = new Map();
  for (const title of world.querySelectorAll("[data-a] > title")) {
    words.set(title.parentNode, title.textContent);
    title.remove();
  }

  // What an element needs to move: numbers, read once.
  const parts = Array.from(world.querySelectorAll("[data-a]"), (element) => ({
    element,
    kind: element.tagName,
    a: Number(element.dataset.a),
    b: Number(element.dataset.b),
    y: Number(element.dataset.y),
    lost: element.classList.contains("lost"),
  }));

  const draw = () => {
    world.setAttribute("width", Math.ceil(full * scale));
    let free = -1e9;
    for (const { element, kind, a, b, y, lost } of parts) {
      const x = a * scale;
      if (kind === "line") {
        element.setAttribute("x1", x);
        element.setAttribute("x2", lost ? x + 14 : b * scale);
      } else if (kind === "rect") {
        element.setAttribute("x", x);
        element.setAttribute("width", Math.max(2, (b - a) * scale));
      } else if (kind === "path") {
        element.setAttribute("transform", `translate(${x},${y})`);
      } else {
        element.setAttribute("x", x);
        if (element.classList.contains("time")) {
          element.style.display = x < free ? "none" : "";
          if (x >= free) free = x + 100;
        }
      }
    }
  };

  // Zooms about a place of the view, in pixels from its left.
  const zoom = (to, about) => {
    const bounded = Math.min(40, Math.max(scroll.clientWidth / full / 2, 0.01, to));
    const place = (scroll.scrollLeft + about) / scale;
    scale = bounded;
    draw();
    scroll.scrollLeft = place * scale - about;
  };
  const middle = () => scroll.clientWidth / 2;
  const flag = () => {
    const line = world.querySelector("line.violation");
    if (line) scroll.scrollLeft = Number(line.dataset.a) * scale - scroll.clientWidth * 0.8;
  };
  const on = (id, action) => document.getElementById(id).addEventListener("click", action);
  on("in", () => zoom(scale * 1.5, middle()));
  on("out", () => zoom(scale / 1.5, middle()));
  on("fit", () => zoom(scroll.clientWidth / full, 0));
  on("flag", flag);
  scroll.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const about = event.clientX - scroll.getBoundingClientRect().left;
    zoom(scale * Math.exp(-event.deltaY / 300), about);
  }, { passive: false });

  const told = (event) => words.get(event.target) ?? null;
  world.addEventListener("mousemove", (event) => {
    if (kept === null) detail.textContent = told(event) ?? hint;
  });
  world.addEventListener("click", (event) => {
    kept = told(event);
    detail.classList.toggle("kept-open", kept !== null);
    detail.textContent = kept ?? hint;
  });
  draw();
  flag();
})();
