// A list of any length of which only what is seen is in the document.

// Browsers forget about heights somewhere above 17 million pixels. Beyond this one the scroll bar is
// only a measure, and wheel and keys move by rows.
const TALLEST = 8_000_000;

export class VirtualList {
  #scroller;
  #space;
  #render;
  #position = 0;
  #total = 0;
  #written = 0;
  #frame = 0;
  #height;

  /**
   * @param {HTMLElement} scroller gets the scroll bar
   * @param {HTMLElement} stage where rows go; inside of the scroller
   * @param {(first: number, last: number, offset: number, rowHeight: number) => void} render draws rows
   *   `first` to `last` (exclusive), the first one's top at `offset` pixels
   */
  constructor(scroller, stage, render) {
    this.#scroller = scroller;
    this.#render = render;
    this.#space = document.createElement("div");
    this.#space.className = "space";
    scroller.append(this.#space);
    this.#space.append(stage);
    this.#height = this.#rowHeight();
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    scroller.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.#touch();
    new ResizeObserver(() => {
      this.#height = this.#rowHeight();
      this.resize(this.#total);
    }).observe(scroller);
  }

  /** Pixels of a row, which the style sheet decides. */
  #rowHeight() {
    return Number.parseFloat(getComputedStyle(this.#scroller).getPropertyValue("--row")) || 24;
  }

  /** Rows that fit, in part or whole; not 0 where nothing is laid out yet. */
  get visible() {
    return (this.#scroller.clientHeight || 800) / this.#height;
  }

  /** The row at the top, with its part that is scrolled away. */
  get position() {
    return this.#position;
  }

  get first() {
    return Math.floor(this.#position);
  }

  get rowHeight() {
    return this.#height;
  }

  /** How many rows there are. */
  resize(total) {
    this.#total = total;
    this.#space.style.height = `${Math.min(TALLEST, total * this.#height)}px`;
    // A heading above it stands over the rows, not over the scroll bar.
    this.#scroller.parentElement?.style.setProperty("--scrollbar", `${this.#scroller.offsetWidth - this.#scroller.clientWidth}px`);
    this.moveTo(this.#position);
  }

  /** Puts a row, or a part of one, at the top. */
  moveTo(position) {
    this.#position = Math.max(0, Math.min(position, this.#total - this.visible));
    const top = this.#exact ? this.#position * this.#height : (this.#position / this.#most) * this.#range;
    this.#written = Math.round(Number.isFinite(top) ? top : 0);
    if (Math.abs(this.#scroller.scrollTop - this.#written) >= 1) this.#scroller.scrollTop = this.#written;
    this.draw();
  }

  /** Makes a row visible: moves no more than needed, or puts it into the middle where it was far. */
  show(index) {
    const above = this.#position;
    const below = this.#position + Math.floor(this.visible) - 1;
    if (index >= above && index <= below) return;
    const near = index > above - 3 && index < below + 3;
    if (near) this.moveTo(index < above ? index : index - Math.floor(this.visible) + 1);
    else this.moveTo(index - Math.floor(this.visible / 3));
  }

  /** Draws with the next frame. */
  draw() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      const first = this.first;
      const last = Math.min(this.#total, Math.ceil(this.#position + this.visible) + 1);
      this.#render(first, last, (first - this.#position) * this.#height, this.#height);
    });
  }

  get #exact() {
    return this.#total * this.#height <= TALLEST;
  }

  get #most() {
    return Math.max(1e-9, this.#total - this.visible);
  }

  get #range() {
    return Math.max(1, Math.min(TALLEST, this.#total * this.#height) - this.#scroller.clientHeight);
  }

  #scrolled() {
    const top = this.#scroller.scrollTop;
    if (Math.abs(top - this.#written) < 1.5) return;
    this.#written = top;
    this.#position = this.#exact
      ? Math.max(0, Math.min(top / this.#height, this.#total - this.visible))
      : Math.max(0, (top / this.#range) * this.#most);
    this.#scroller.dispatchEvent(new Event("moved"));
    this.draw();
  }

  #wheel(event) {
    if (this.#exact || event.ctrlKey || event.shiftKey || event.deltaY === 0) return;
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 1 : event.deltaMode === 2 ? this.visible : 1 / this.#height;
    this.moveTo(this.#position + event.deltaY * unit);
    this.#scroller.dispatchEvent(new Event("moved"));
  }

  // A finger moves by pixels as well, which the scroll bar of a long list would make thousands of rows.
  #touch() {
    let last = null;
    this.#scroller.addEventListener("touchstart", (event) => {
      last = event.touches[0]?.clientY ?? null;
    }, { passive: true });
    this.#scroller.addEventListener("touchmove", (event) => {
      const now = event.touches[0]?.clientY;
      if (this.#exact || last === null || now === undefined || event.touches.length > 1) return;
      event.preventDefault();
      this.moveTo(this.#position + (last - now) / this.#height);
      last = now;
      this.#scroller.dispatchEvent(new Event("moved"));
    }, { passive: false });
  }
}
