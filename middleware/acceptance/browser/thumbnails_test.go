package browser

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// thumbnails makes one sheet of many pictures.
type thumbnails []image.Image

const thumbWidth, thumbHeight, thumbColumns = 320, 200, 6

func (p *thumbnails) add(t testing.TB, picture []byte) {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(picture))
	require.NoError(t, err)
	*p = append(*p, img)
}

// write scales the pictures down by averaging and writes them in rows.
func (p *thumbnails) write(t testing.TB) {
	t.Helper()
	if len(*p) == 0 {
		return
	}
	const gap = 6
	sheetImage := image.NewRGBA(image.Rect(0, 0, thumbColumns*(thumbWidth+gap), (len(*p)+thumbColumns-1)/thumbColumns*(thumbHeight+gap)))
	for i, img := range *p {
		b := img.Bounds()
		scale := max(float64(b.Dx())/thumbWidth, float64(b.Dy())/thumbHeight)
		for y := range int(float64(b.Dy()) / scale) {
			for x := range int(float64(b.Dx()) / scale) {
				sheetImage.Set(i%thumbColumns*(thumbWidth+gap)+x, i/thumbColumns*(thumbHeight+gap)+y,
					average(img, int(float64(x)*scale), int(float64(y)*scale), int(float64(x+1)*scale), int(float64(y+1)*scale)))
			}
		}
	}
	var out bytes.Buffer
	require.NoError(t, png.Encode(&out, sheetImage))
	name := strings.TrimSuffix(*sheet, ".png") + "-" + strings.ReplaceAll(strings.TrimPrefix(t.Name(), "TestZoo/"), "/", "-") + ".png"
	require.NoError(t, os.WriteFile(name, out.Bytes(), 0o644))
	t.Logf("%d pictures in %s", len(*p), name)
}

func average(img image.Image, x0, y0, x1, y1 int) color.Color {
	var r, g, b, n uint32
	for y := y0; y < max(y1, y0+1); y++ {
		for x := x0; x < max(x1, x0+1); x++ {
			cr, cg, cb, _ := img.At(x, y).RGBA()
			r, g, b, n = r+cr>>8, g+cg>>8, b+cb>>8, n+1
		}
	}
	return color.RGBA{uint8(r / n), uint8(g / n), uint8(b / n), 255}
}
