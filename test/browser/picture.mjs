// A picture worth sending, drawn by the browser itself: nobody's copyright.
const scene = `<!doctype html><style>
  body { margin: 0; width: 640px; height: 320px; overflow: hidden; position: relative;
    background: linear-gradient(#6f8fc9 0%, #a9a5cf 34%, #f0b49a 58%, #f8d7a4 72%); }
  i { position: absolute; display: block; }
  .sun { left: 388px; top: 146px; width: 70px; height: 70px; border-radius: 50%; background: #fff3cf; box-shadow: 0 0 70px 34px #ffe2a26e; }
  .far, .mid, .near { width: 900px; height: 420px; border-radius: 50%; }
  .far { left: -220px; top: 182px; background: #8f83b5; }
  .mid { left: 190px; top: 208px; background: #6b6699; }
  .near { left: -330px; top: 240px; background: #474a75; }
  .lake { left: 0; top: 274px; width: 640px; height: 46px; background: linear-gradient(#f3c29ccc, #8a86b8cc); }
</style><i class=sun></i><i class=far></i><i class=mid></i><i class=near></i><i class=lake></i>`;

// sunset returns 640 × 320 pixels as PNG.
export async function sunset(browser) {
  const page = await browser.newPage({ viewport: { width: 640, height: 320 } });
  try {
    await page.setContent(scene);
    return await page.screenshot();
  } finally {
    await page.close();
  }
}
