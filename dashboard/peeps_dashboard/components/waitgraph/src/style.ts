// SPDX-License-Identifier: Apache-2.0
// Colours come from the page's theme; kinds use the Okabe-Ito palette, always beside a shape and an icon.
export const STYLE = `
.wg { box-sizing: border-box; position: relative; width: 100%; overflow: hidden; font-family: var(--st-font); color: var(--st-text-color);
  border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius); background: var(--st-background-color); }
.wg svg.view { display: block; width: 100%; height: 100%; touch-action: none; outline: none; cursor: grab; user-select: none; }
.wg svg.view:active { cursor: grabbing; }
.wg svg.view:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: -2px; }
.n { cursor: pointer; --c: #8a8a8a; }
.n.moving { transition: transform .25s ease-out; }
.n .box { fill: var(--st-secondary-background-color); stroke: var(--c); stroke-width: 1.8; }
.n .icon { fill: none; stroke: var(--c); stroke-width: 1.7; stroke-linejoin: round; stroke-linecap: round; }
.n text { fill: var(--st-text-color); font-size: 13px; font-weight: 600; pointer-events: none; }
.n text.sub { font-size: 11px; font-weight: 400; opacity: .78; }
.n.k-task { --c: #3d9fd6; } .n.k-thread { --c: #0072b2; } .n.k-lock, .n.k-semaphore, .n.k-condition, .n.k-barrier { --c: #d08a00; }
.n.k-tx, .n.k-rx { --c: #009e73; } .n.k-request, .n.k-response, .n.k-connection { --c: #c06a9b; }
.n.k-future, .n.k-event { --c: #8f7fd0; } .n.k-timer, .n.k-io { --c: #7d8b99; }
.n.stuck { --c: var(--st-red-color); }
.n.stuck .box { fill: var(--st-red-background-color); stroke-width: 3; }
.n.fold .box { stroke-dasharray: 2 3; }
.n.gone, .n.ghost { opacity: .42; } .n.gone .box, .n.ghost .box { stroke-dasharray: 4 3; }
.dim { opacity: .14 !important; }
.n:focus { outline: none; }
.n:focus-visible .box, .n.sel .box { stroke: var(--st-primary-color); stroke-width: 3.5; }
.n.new .box { animation: wg-new 1.6s ease-out 1; }
@keyframes wg-new { from { stroke-width: 8; } }
.e path { fill: none; stroke: var(--st-gray-color); stroke-width: 1.6; }
.e.held_by path { stroke-dasharray: 7 5; }
.e.other path { stroke-dasharray: 2 4; opacity: .8; }
.e.cyc path { stroke: var(--st-red-color); stroke-width: 3.2; }
.e text { font-size: 11px; fill: var(--st-text-color); text-anchor: middle; paint-order: stroke; stroke: var(--st-background-color); stroke-width: 5px; stroke-linejoin: round; }
.e.cyc text { fill: var(--st-red-text-color); font-weight: 600; }
.arrow { fill: var(--st-gray-color); } .arrow.cyc { fill: var(--st-red-color); }
.bar { position: absolute; left: 10px; right: 10px; bottom: 5px; display: flex; gap: 14px; align-items: center; font-size: 11px; color: var(--st-text-color); pointer-events: none; }
.bar span { opacity: .8; white-space: nowrap; } .bar .hint { margin-left: auto; overflow: hidden; text-overflow: ellipsis; }
.bar i { display: inline-block; width: 22px; height: 0; border-top: 2px solid currentColor; vertical-align: middle; margin-right: 5px; }
.bar i.dash { border-top-style: dashed; } .bar i.dot { border-top-style: dotted; }
.tools { position: absolute; right: 8px; top: 8px; display: flex; gap: 6px; }
.tools button { font: 500 12px var(--st-font); color: var(--st-text-color); background: var(--st-background-color); border: 1px solid var(--st-border-color);
  border-radius: var(--st-button-radius); padding: 3px 9px; cursor: pointer; opacity: .85; }
.tools button:hover, .tools button:focus-visible { opacity: 1; border-color: var(--st-primary-color); outline: none; }
@media (prefers-reduced-motion: reduce) { .n.moving { transition: none; } .n.new .box { animation: none; } }
`;
