// Tables of the report: DataTables (from the itables package) makes them sort, filter and turn pages.
(() => {
  const LONG = 48; // letters
  const unpack = (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  };
  const load = async () => {
    const style = document.createElement("style");
    style.textContent = await unpack("@STYLE@");
    document.head.prepend(style);
    const code = await unpack("@LIBRARY@");
    const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    const library = await import(address);
    URL.revokeObjectURL(address);
    library.set_or_remove_dark_class();
    return library.ITable;
  };
  // On a phone the words of a row stand in its first cell, one below the other, so that its scores are in sight.
  const stack = (table) => {
    const [head] = table.tHead.rows, body = [...table.tBodies[0].rows];
    const score = [...head.cells].findIndex((cell) => cell.classList.contains("n"));
    if (score < 2) return;
    table.classList.add("ser-stacked");
    const long = [...head.cells].map((_, place) => body.some((row) => row.cells[place].textContent.length > LONG));
    for (const row of [head, ...body]) {
      [...row.cells].slice(1, score).forEach((cell, place) => {
        if (long[place + 1]) return row.append(cell); // after the numbers
        const also = document.createElement("span");
        also.className = "ser-also";
        also.append(...cell.childNodes);
        row.cells[0].append(" ", also);
        cell.remove();
      });
    }
  };
  const enhance = (ITable, table) => {
    if (matchMedia("(max-width: 40rem)").matches) stack(table);
    const { pageLength, rows } = JSON.parse(table.dataset.serTable);
    const many = rows > pageLength;
    delete table.dataset.serTable;
    const { dt } = new ITable(table, {
      order: [],
      autoWidth: false,
      paging: many,
      pageLength: pageLength,
      lengthMenu: [...new Set([pageLength, 50, 100, { label: "all", value: -1 }])],
      layout: {
        topStart: many ? "info" : null,
        topEnd: rows > 6 ? "search" : null,
        bottomStart: many ? "pageLength" : null,
        bottomEnd: many ? "paging" : null,
      },
      language: {
        search: "Filter",
        info: "Rows _START_–_END_ of _TOTAL_",
        infoEmpty: "No rows",
        infoFiltered: "(filtered from _MAX_)",
        lengthMenu: "_MENU_ rows a page",
        emptyTable: "No rows.",
        zeroRecords: "No row matches the filter.",
      },
    });
    if (many) { // paper turns no pages: up to a hundred rows are printed
      addEventListener("beforeprint", () => dt.page.len(100).draw());
      addEventListener("afterprint", () => dt.page.len(pageLength).draw());
    }
    const outer = table.closest(".ser-scroll");
    const inner = table.closest(".dt-layout-table");
    if (!outer || !inner) return;
    for (const name of ["role", "tabindex", "aria-label"]) {
      inner.setAttribute(name, outer.getAttribute(name));
      outer.removeAttribute(name);
    }
    outer.classList.add("ser-ready");
    outer.querySelector("nav")?.setAttribute("aria-label", `Pages of ${inner.getAttribute("aria-label")}`);
  };
  const start = async () => {
    if (!("DecompressionStream" in window) || !document.querySelector("[data-ser-table]")) return;
    window.serTables ??= load();
    const ITable = await window.serTables;
    document.querySelectorAll("[data-ser-table]").forEach((table) => enhance(ITable, table));
  };
  window.serEnhance = start; // JupyterLab calls it again for each new table
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else setTimeout(start, 50);
})();
