# A ball that rolls over a floor, as one frame of a film in PPM. awk -v frame=N -f render.awk SCENE
# SCENE has lines "width N", "height N", "frames N", "ball R G B".
{ scene[$1] = $2; if ($1 == "ball") { red = $2; green = $3; blue = $4 } }
END {
  w = scene["width"]; h = scene["height"]
  t = (frame - 1) / scene["frames"] * 6.2831853
  cx = w / 2 + cos(t) * w / 4; cy = h / 2 + sin(2 * t) * h / 8; r = h / 4
  printf "P3\n%d %d\n255\n", w, h
  for (y = 0; y < h; y++) {
    line = ""
    for (x = 0; x < w; x++) {
      dx = (x - cx) / r; dy = (y - cy) / r; d = dx * dx + dy * dy
      if (d < 1) {
        # Light from the upper left.
        light = 0.25 + 0.75 * (-0.5 * dx - 0.6 * dy + 0.62 * sqrt(1 - d)); if (light < 0.2) light = 0.2
        line = line sprintf("%d %d %d ", red * light, green * light, blue * light)
      } else {
        shade = (int(x / 8) + int(y / 8)) % 2 ? 90 : 60; if (y < h / 2) shade = 20 + 30 * y / h
        line = line sprintf("%d %d %d ", shade, shade, shade + 10)
      }
    }
    print line
  }
}
