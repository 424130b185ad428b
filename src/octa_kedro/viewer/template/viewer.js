// One eye in three planes and in 3D, with its map over it.
"use strict";

const { eyes, settings, findings, strongest } = window.VIEWER;
const $ = (id) => document.getElementById(id);
const MAPS = ["hot", "inferno", "magma", "plasma", "viridis", "turbo"];
const ZERO_TO_MAX_TRANSPARENT_BELOW_MIN = 1;
const SLICES = { axial: 0, coronal: 1, sagittal: 2, render: 4 };
const NO_ILM = -32768; // not known at this A-scan
const state = { eye: null, volumes: null, bits: null, ilm: null, whole: [] };
let nv;
let table;

function say(problem) {
  $("message").textContent = problem ? `${problem.message ?? problem}` : "";
  if (problem) document.body.dataset.state = "failed";
}

function describe() {
  $("back").hidden = !window.EXPLANATION;
  $("back").href = window.EXPLANATION ?? "";
  document.title = $("title").textContent = window.VIEWER.title;
  $("note").textContent = window.VIEWER.note;
  const held = eyes.filter((eye) => eye.held_out).length;
  const masked = eyes.filter((eye) => eye.lesion).length;
  const seen = held === eyes.length ? "No network was trained on any of them." :
    `The other ${eyes.length - held} took part in development, ` +
    "so their predictions and maps may look better than they are.";
  const truth = masked === eyes.length ? "" : masked ? ` ${eyes.length - masked} eyes have no lesion mask: ` :
    " There are no lesion masks: ";
  const caution = truth && `${truth}there the map shows what the network uses, and whether that is the lesion is a `
    + "matter of plausibility only.";
  $("caution").textContent = `${eyes.length} eyes, ${held} of them held out. ${seen}${caution}`;
}

function options(select, pairs) {
  const before = select.value;
  select.replaceChildren(...pairs.map(([value, text]) => new Option(text, value)));
  if (pairs.some(([value]) => value === before)) select.value = before;
}

// The greatest value of the colour scale, and the value below which the map is not shown.
function scale() {
  const top = ($("scale").value === "common" ? strongest : state.eye.strongest) || 1;
  return { top, bottom: top * Number($("threshold").value) };
}

function paint() {
  const heat = nv.volumes[1];
  const { top, bottom } = scale();
  heat.colormapType = ZERO_TO_MAX_TRANSPARENT_BELOW_MIN;
  [heat.cal_min, heat.cal_max] = [Math.max(bottom, top * 1e-3), top];
  if (state.eye.signed) {
    [heat.cal_minNeg, heat.cal_maxNeg] = [-Math.max(bottom, top * 1e-3), -top];
    heat.colormapNegative = "winter";
  }
  heat.opacity = Number($("opacity").value);
  heat._colormap = $("colormap").value;
  if (nv.volumes[2]) nv.volumes[2].opacity = $("lesion").checked ? FILL : 0; // 0 hides the outline too
  $("threshold-text").textContent = bottom.toPrecision(2);
  nv.updateGLVolume();
}

function maskSlab() {
  const slab = $("slab").value === "" ? null : Number($("slab").value);
  [0, 1].forEach((i) => { nv.volumes[i].img = masked(state.whole[i], state.bits, slab); });
}

const FILL = 0.02;
const LABELS = 1002; // NIfTI's intent code of volumes of labels: NiiVue draws outlines of these only

function outline(volume) {
  volume.hdr.intent_code = LABELS;
  const codes = [...Array(256).keys()];
  const all = (value) => codes.map((code) => (code === 0 ? 0 : value));
  volume.setColormapLabel({ I: codes, R: all(60), G: all(255), B: all(120), A: all(255), labels: codes.map(String) });
  // NiiVue outlines in 3D: a slice along a flat face of the lesion is filled. So the map has to be seen through it.
  nv.opts.atlasOutline = 0.35; // opacity
}

function add(name, look) {
  const file = `${name}.nii.gz`;
  return nv.addVolumeFromUrl({ url: file, name: file, buffer: bytesOf(state.volumes[name]), ...look });
}

// The base image, the map and the lesions anew, at the place that was looked at.
async function draw() {
  const place = [...nv.scene.crosshairPos];
  while (nv.volumes.length) nv.removeVolumeByIndex(0);
  await add($("image").value, { colormap: "gray", cal_min: 0, cal_max: 1, colorbarVisible: false });
  await add("heat", { colormap: $("colormap").value });
  if (state.eye.lesion) outline(await add("lesion", { colorbarVisible: false }));
  state.whole = nv.volumes.slice(0, 2).map((volume) => volume.img);
  maskSlab();
  paint();
  nv.scene.crosshairPos = place;
  nv.drawScene();
}

function goTo(voxel) {
  nv.scene.crosshairPos = nv.vox2frac(voxel);
  nv.drawScene();
  nv.createOnLocationChange();
}

// In a right-handed grid (x, y, z) that NiiVue has turned so that z runs upwards.
function goToPeak() {
  const heat = nv.volumes[1];
  const [nx, ny, nz] = heat.hdr.dims.slice(1, 4);
  const at = strongestVoxel(heat.img);
  const [x, y, z] = [at % nx, Math.floor(at / nx) % ny, Math.floor(at / (nx * ny))];
  goTo([x, y, nz - 1 - z]);
}

function locate(where) {
  const heat = nv.volumes[1];
  if (!heat) return;
  const [nx, ny, nz] = heat.hdr.dims.slice(1, 4);
  const [x, y, upwards] = where.vox.map(Math.round);
  const depth = nz - 1 - upwards;
  const at = x + nx * (y + ny * depth);
  const inside = state.eye.slabs.filter((_, i) => state.bits && (state.bits[at] >> i) & 1);
  const code = state.eye.lesion ? nv.volumes[2].img[at] : 0;
  const value = (volume) => volume * heat.hdr.scl_slope;
  const place = inScan([where.mm[0], where.mm[1], -where.mm[2]]);
  const note = state.eye.place_note ? `, ${state.eye.place_note}` : "";
  const words = [
    `x ${place[0].toFixed(2)} mm, y ${place[1].toFixed(2)} mm, depth ${place[2].toFixed(3)} mm of the scan${note}`
      + belowIlm(-where.mm[2], state.ilm?.[x + nx * y]),
    `map ${value(state.whole[1][at]).toPrecision(3)}, strongest here ${state.eye.strongest.toPrecision(3)},`
      + ` of all eyes ${strongest.toPrecision(3)}`,
  ];
  if (state.eye.slabs.length) words.push(`slab ${inside.length ? slabName(inside[0]) : "none"}`);
  if (state.eye.lesion) words.push(`lesion ${code ? findings[code] ?? code : "none"}`);
  $("place").textContent = words.join("  ·  ");
}

// Eyes are drawn as they were processed; the raw scan's file has a place of it elsewhere, if it was mirrored or moved.
function inScan(mm) {
  return state.eye.to_scan.slice(0, 3).map((row) => row[0] * mm[0] + row[1] * mm[1] + row[2] * mm[2] + row[3]);
}

function slabName(name) {
  return name.replaceAll("_", " to ");
}

function belowIlm(depth, ilm) {
  if (ilm === undefined || ilm === NO_ILM) return "";
  const um = Math.round(1000 * depth - ilm);
  return ` (${Math.abs(um)} µm ${um < 0 ? "above" : "below"} the ILM)`;
}

function nameTiles() {
  const letters = (left, right) => `<span class="left">${left}</span><span class="right">${right}</span>`;
  // Without a laterality nobody knows which end is nasal.
  const sides = state.eye.ends ? letters(...state.eye.ends) : "";
  $("enface").innerHTML = `<b>En face</b>, superior on top${sides}`;
  $("bscan").innerHTML = `<b>B-scan</b>, vitreous on top${sides}`;
  $("side").innerHTML = `<b>Across B-scans</b>, vitreous on top${letters("I", "S")}`;
  $("render").innerHTML = "<b>3D</b>, drag to turn";
}

async function pick(eye) {
  document.body.dataset.state = "loading";
  say("");
  table.mark(eye);
  history.replaceState(null, "", `#eye=${encodeURIComponent(eye.subject)}`);
  const volumes = await loadEye(eye);
  if (table.current !== eye) return; // another one was chosen meanwhile
  Object.assign(state, { eye, volumes, bits: volumes.slabs ? await voxelsOf(volumes.slabs) : null,
    ilm: volumes.ilm ? await voxelsOf(volumes.ilm, Int16Array) : null });
  options($("image"), eye.images.map((name) => [name, name.toUpperCase()]));
  options($("slab"), [["", "whole volume"], ...eye.slabs.map((name, i) => [String(i), slabName(name)])]);
  $("slab").parentElement.hidden = !eye.slabs.length;
  $("lesion-label").hidden = !eye.lesion;
  nameTiles();
  await draw();
  goToPeak();
  document.body.dataset.state = "ready";
}

function cut() {
  const depth = Number($("cut").value);
  nv.setClipPlane(depth ? [0.5 - depth, 180, 0] : [2, 0, 0]);
}

function listen() {
  for (const id of ["opacity", "threshold", "scale", "colormap", "lesion"]) $(id).addEventListener("input", paint);
  $("slab").addEventListener("input", () => { maskSlab(); paint(); });
  $("image").addEventListener("input", () => draw().catch(say));
  $("cut").addEventListener("input", cut);
  $("peak").addEventListener("click", goToPeak);
  $("controls").addEventListener("submit", (event) => event.preventDefault());
  const filter = () => {
    const sought = $("filter").value.trim().toLowerCase();
    const only = $("held-out-only").firstElementChild.checked;
    table.keep = (eye) => (!only || eye.held_out) && `${eye.subject} ${eye.label}`.toLowerCase().includes(sought);
    table.fill();
  };
  $("filter").addEventListener("input", filter);
  $("held-out-only").addEventListener("input", filter);
  $("held-out-only").hidden = eyes.every((eye) => eye.held_out);
}

async function start() {
  describe();
  options($("colormap"), MAPS.map((name) => [name, name]));
  $("colormap").value = settings.colormap;
  $("opacity").value = settings.opacity;
  $("threshold").value = settings.threshold;
  $("scale").value = settings.common_scale ? "common" : "own";
  table = new EyeTable($("list").firstElementChild, eyes, (eye) => pick(eye).catch(say));
  nv = new Niivue({ isOrientationTextVisible: false, isColorbar: true, show3Dcrosshair: true, crosshairWidth: 1,
    backColor: [0, 0, 0, 1], clipPlaneColor: [0, 0, 0, 0], crosshairColor: [0.3, 0.8, 1, 0.6],
    dragAndDropEnabled: false, loadingText: "" });
  await nv.attachToCanvas($("canvas"));
  nv.setCustomLayout([
    { sliceType: SLICES.axial, position: [0, 0, 0.5, 0.6] },
    { sliceType: SLICES.render, position: [0.5, 0, 0.5, 0.6] },
    { sliceType: SLICES.coronal, position: [0, 0.6, 0.5, 0.4] },
    { sliceType: SLICES.sagittal, position: [0.5, 0.6, 0.5, 0.4] },
  ]);
  nv.onLocationChange = locate;
  listen();
  const asked = decodeURIComponent(location.hash.replace(/^#eye=/, ""));
  await pick(eyes.find((eye) => eye.subject === asked) ?? eyes[0]);
}

start().catch(say);
