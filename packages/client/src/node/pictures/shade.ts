/** Brightness of a colour (ITU-R BT.601), 0 to 255. */
export function lumaOf(red: number, green: number, blue: number): number {
  return (77 * red + 150 * green + 29 * blue) >> 8;
}

/** Lays a brightness of the given opacity, 0 to 255, over a backdrop. */
export function over(luma: number, alpha: number, backdrop: number): number {
  return alpha === 255 ? luma : Math.round((luma * alpha + backdrop * (255 - alpha)) / 255);
}
