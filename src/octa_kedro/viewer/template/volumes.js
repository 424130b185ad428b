// Volumes of one eye at a time, from the script that holds them.
"use strict";

const HEADER = 352; // bytes before the voxels of a NIfTI file

const waiting = new Map();

// Called by the script of an eye.
window.receiveEye = (subject, volumes) => waiting.get(subject)?.(volumes);

function loadEye(row) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    const done = () => { waiting.delete(row.subject); script.remove(); };
    waiting.set(row.subject, (volumes) => { done(); resolve(volumes); });
    script.onerror = () => {
      done();
      reject(new Error(`${row.file} is missing: keep the folder of this page together`));
    };
    script.src = row.file;
    document.head.append(script);
  });
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)).buffer;
}

// The voxels of a volume of numbers of a type, 8 bits if it is not named.
async function voxelsOf(base64, Numbers = Uint8Array) {
  const unpacked = new Blob([bytesOf(base64)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Numbers(await new Response(unpacked).arrayBuffer(), HEADER);
}

// Voxels outside the slab as zero; bit `slab` of `bits` says which are inside, and null stands for the whole volume.
function masked(voxels, bits, slab) {
  return slab === null ? voxels.slice() : voxels.map((value, i) => ((bits[i] >> slab) & 1 ? value : 0));
}

// Index of the voxel with the greatest magnitude.
function strongestVoxel(voxels) {
  let best = 0;
  for (let i = 1; i < voxels.length; i += 1) if (Math.abs(voxels[i]) > Math.abs(voxels[best])) best = i;
  return best;
}
