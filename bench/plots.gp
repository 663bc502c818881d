# gnuplot -c plots.gp DATA PLOTS: the data files of page.py to SVG. No
# background and only colours that can be read on white as well as on black.
data = ARG1."/"
plots = ARG2."/"

set encoding utf8
set terminal svg size 800,360 dynamic noenhanced font "sans-serif,14" \
	linewidth 1.5 rounded
grey = "#767676"
array colours[6] = ["#1f7fdb", "#d9730d", "#2c9a4b", "#8a8f00", "#b65fce", grey]
array dashes[6] = [1, 1, 1, 2, 1, 3]
array widths[6] = [2.5, 1, 1, 1, 1, 1]
do for [i = 1:6] {
	set linetype i linecolor rgb colours[i] dashtype dashes[i] \
		linewidth widths[i] pointtype (i == 6 ? 2 : i + 3) pointsize 0.7
}
set border 3 linecolor rgb grey
set tics nomirror textcolor rgb grey
set grid linecolor rgb grey linewidth 0.3 dashtype 3
set key textcolor rgb grey outside right center Left reverse
set xlabel textcolor rgb grey
set ylabel textcolor rgb grey
set datafile separator tab missing "?"

set output plots."start-up.svg"
set xlabel "from start to end, µs"
set yrange [*:*] reverse
set offsets graph 0, 0, 0.6, 0.6
set xrange [0:*]
set style fill solid 0.8 noborder
unset key
set grid xtics noytics
plot data."start-up" using (0):0:(0):3:($0-0.32):($0+0.32):($2):ytic(1) \
	with boxxyerror linecolor rgb variable, \
	"" using 3:0:4:5 with xerrorbars pointtype 0 linewidth 1.5 \
	linecolor rgb grey
unset offsets
set yrange [*:*] noreverse
set xrange [*:*]

set output plots."latency.svg"
set logscale x
set xlabel "from kill to the process that it is for, µs"
set ylabel "signals that take no longer, %"
set ytics autofreq
set yrange [0:100]
set grid xtics ytics
set key on
stats data."latency" using 1 nooutput
plot for [i = 0:STATS_blocks-1] data."latency" index i using 2:1 \
	with lines linetype i + 1 title columnheader(1)

set logscale y
set yrange [*:*]
set format y "%.0f"
set output plots."groups.svg"
set xlabel "processes in the group"
set ylabel "until the last has the signal, µs"
stats data."groups" using 1 skip 1 nooutput
plot for [i = 2:STATS_columns] data."groups" using 1:i \
	with linespoints linetype i - 1 title columnheader(i)

set output plots."orphans.svg"
set xlabel "orphans collected"
set ylabel "resident memory, kB"
set yrange [10:10000]
set format x "%.0f"
stats data."orphans" using 1 skip 1 nooutput
plot for [i = 2:STATS_columns] data."orphans" using 1:i \
	with linespoints linetype i - 1 title columnheader(i)
