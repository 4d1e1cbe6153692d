import { useEffect, useState } from "preact/hooks";

/** A code as a picture; `svg` is a document, which is shown as an image and never becomes a part of the page. */
export function Code({ svg, label }: { readonly svg: string; readonly label: string }) {
  const [address, setAddress] = useState<string>();
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [svg]);
  return <div class="code">{address !== undefined && <img src={address} alt={label} />}</div>;
}

/** The code of a link. The part behind `#` is letters of both cases, so it is written as bytes. */
export function LinkCode({ link, label }: { readonly link: string; readonly label: string }) {
  const [svg, setSvg] = useState<string>();
  useEffect(() => {
    let isShown = true;
    void import("./draw-code.ts").then(({ drawCode }) => {
      if (isShown) setSvg(drawCode(link));
    });
    return () => {
      isShown = false;
    };
  }, [link]);
  return svg === undefined ? <div class="code" /> : <Code svg={svg} label={label} />;
}
