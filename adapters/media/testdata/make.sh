#!/usr/bin/env bash
# How the samples beside this were made (ffmpeg 5.1, Debian 12): a tone and a test picture,
# a few hundred milliseconds each. They are kept, so that the tests need no ffmpeg.
set -euo pipefail
cd "$(dirname "$0")"
exact="-fflags +bitexact -flags:v +bitexact -flags:a +bitexact"
low="-f lavfi -i sine=frequency=440:sample_rate=8000:duration=0.3"
tone="-f lavfi -i sine=frequency=440:sample_rate=48000:duration=0.3"
film="-f lavfi -i testsrc=size=32x32:rate=5:duration=0.6"
make() { # name arguments…
  local name=$1
  shift
  ffmpeg -hide_banner -loglevel error -y "$@" $exact "$name"
}
aac="-c:a aac -b:a 24k" opus="-c:a libopus -b:a 16k" vp8="-c:v libvpx -b:v 50k" h264="-c:v libx264 -pix_fmt yuv420p"
fragments="-movflags +frag_keyframe+empty_moov"

# Sound alone.
make voice.weba $tone $opus -f webm
make live-voice.weba $tone $opus -f webm -live 1 # unknown sizes, as MediaRecorder writes them
make voice.m4a $tone $aac                        # the tracks stand at the end
make voice.mp4 $tone $aac -f mp4
make voice-fast.mp4 $tone $aac -movflags +faststart -f mp4
make voice-fragmented.mp4 $tone $aac $fragments -f mp4
make voice.mov $tone $aac -f mov
make voice.3gp $tone $aac -f 3gp
make voice.3g2 $tone $aac -f 3g2
make voice.mka $tone $aac
make voice.wma $tone -c:a wmav2 -f asf
make voice.opus.ogg $tone $opus -f ogg
make voice.vorbis.ogg $tone -c:a libvorbis -f ogg
make voice.flac.ogg $low -c:a flac -f ogg
make voice.spx.ogg $low -c:a libspeex -f ogg
make voice.flac $low
make voice.mp3 $tone -b:a 32k -id3v2_version 0 -write_xing 0
make voice.id3.mp3 $tone -b:a 32k -metadata title=x -write_id3v1 1
make voice.wav $low -c:a pcm_u8
make voice.aiff $low
make voice.aac $tone -b:a 24k -f adts

# Sound that only its declared type tells.
make voice.caf $low -c:a pcm_s16be -f caf
make voice.rf64.wav $low -rf64 always
make voice.w64 $low
make voice.ac3 $tone -b:a 64k
make voice.aifc $low -c:a pcm_mulaw -f aiff
make voice.loas $tone -b:a 24k -f latm

# Films.
make film.webm $film $tone $vp8 $opus
make live-film.webm $film $tone $vp8 $opus -f webm -live 1
make silent-film.webm $film $vp8
make film.mp4 $film $tone $h264 $aac
make film-fragmented.mp4 $film $tone $h264 $aac $fragments -f mp4
make film.mov $film $tone $h264 $aac
make film.3gp $film $tone -c:v mpeg4 $aac -f 3gp
make film.mkv $film $tone -c:v libx264 $aac
make film.ogv $film $tone -c:v libtheora -c:a libvorbis
make film.audio-first.ogv $tone $film -map 0 -map 1 -c:v libtheora -c:a libvorbis
make film.avi $film -c:v mpeg4
make film.flv $film $tone -ar 44100 -c:v flv -c:a libmp3lame -f flv
make film.wmv $film $tone -c:v wmv2 -c:a wmav2 -f asf
make film.mpg ${film/rate=5/rate=25} $tone -c:v mpeg1video -c:a mp2 -f mpeg
make film.ts $film $tone -c:v mpeg2video -c:a mp2 -f mpegts

# Pictures.
make film.gif $film
make picture.avif $film -frames:v 1 -c:v libaom-av1 -still-picture 1 -f avif
for ending in webp jp2 jpg tiff bmp; do make picture.$ending $film -frames:v 1 -update 1; done
