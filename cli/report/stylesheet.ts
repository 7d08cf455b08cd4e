/** How a report looks: on a screen by day and by night, and on paper. Text is 4.5:1 or better in each. */
export const stylesheet = `
:root { color-scheme: light dark; --ground: #f6f3ef; --panel: #fffdfa; --edge: #d9d0c4; --ink: #221c16; --soft: #6a5f54;
  --good: #287a48; --busy: #8f5000; --bad: #b3261c; --idle: #6a5f54; }
@media (prefers-color-scheme: dark) { :root { --ground: #15120f; --panel: #1f1b17; --edge: #40372e; --ink: #f2ebe2;
  --soft: #a99c8e; --good: #7bd396; --busy: #f5b959; --bad: #ff8b7b; --idle: #a99c8e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 75rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.2rem; margin: 0; }
.about, small, caption { color: var(--soft); }
.totals { display: flex; flex-wrap: wrap; gap: .75rem; padding: 0; list-style: none; }
.totals li, section { background: var(--panel); border: 1px solid var(--edge); border-radius: .5rem; }
.totals li { padding: .5rem 1rem; } .totals strong { font-size: 1.25rem; }
section { padding: 1rem; margin: 1rem 0; } section p { margin: .25rem 0; }
h2 span { font-size: .9rem; }
.good { color: var(--good); } .busy { color: var(--busy); } .bad { color: var(--bad); } .idle { color: var(--idle); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin-top: .75rem; font-size: .9rem; }
caption { text-align: start; font-weight: 600; }
th, td { text-align: start; vertical-align: top; padding: .3rem .75rem .3rem 0; border-top: 1px solid var(--edge); }
th, td:nth-child(-n + 4):not(:last-child) { white-space: nowrap; }
td:last-child, td:nth-child(n + 5) { min-width: 10rem; overflow-wrap: anywhere; }
@media screen and (max-width: 45rem) { body { padding: .75rem; } thead { display: none; }
  tr { display: flex; flex-wrap: wrap; gap: 0 .75rem; padding: .4rem 0; border-top: 1px solid var(--edge); }
  td { border: 0; padding: 0; min-width: 0 !important; } td:first-child { font-weight: 600; width: 100%; }
  td:first-child, td:nth-child(n + 5), td:last-child { white-space: normal !important; overflow-wrap: anywhere; }
  td:nth-child(n + 5), td:last-child { width: 100%; } td:empty { display: none; } }
a { color: inherit; }
@media print { :root { --ground: #fff; --panel: #fff; --ink: #000; --soft: #444; --edge: #999; --good: #1d5c36;
  --busy: #6b3c00; --bad: #8f1d15; --idle: #444; }
  body { max-width: none; padding: 0; font-size: 9pt; } table { font-size: 8pt; } td { min-width: 0 !important; } section { break-inside: auto; border: 0; padding: 0; }
  tr, h2 { break-inside: avoid; } h2 { break-after: avoid; } .wide { overflow: visible; } }
`;
