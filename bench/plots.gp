# gnuplot -c plots.gp DATA PLOTS: the data files of page.py to SVG. No background,
# and colours with a contrast of at least 3:1 to white and to GitHub's black, except for
# the pale part of the bars of memory.
data = ARG1."/"
plots = ARG2."/"

set encoding utf8
set terminal svg size 800,360 dynamic noenhanced font "sans-serif,14" \
	linewidth 1.5 rounded
grey = "#787878"
colours = "#1f7fdb #d9730d #2a8f48 #b65fce #8a8f00 #e5484d #12929e #a06a3b"
do for [i = 1:8] {
	dash = i % 2 ? 1 : 2
	set linetype i linecolor rgb word(colours, i) dashtype dash \
		linewidth (i == 1 ? 3 : 1.5) pointtype i + 3 pointsize 0.7
}
limit = 9
set linetype limit linecolor rgb grey dashtype 3 linewidth 1.5
of_init(i) = int(i) % 8 + 1

set border 3 linecolor rgb grey
set tics nomirror textcolor rgb grey
set grid linecolor rgb grey linewidth 0.3 dashtype 3
set title textcolor rgb grey
set key textcolor rgb grey outside right center Left reverse
set xlabel textcolor rgb grey
set ylabel textcolor rgb grey
set datafile separator tab missing "?"

# Bars from the top down, with the number at the end of each.
set yrange [*:*] reverse
set xrange [0:*]
set offsets 0, graph 0.35, 0.6, 0.6
set style fill solid noborder
unset key
unset grid
unset xtics
set border 0
set ytics scale 0

set output plots."start-up.svg"
set title "Start-up: time from start to end in µs, median and quartiles"
plot data."start-up" using (0):0:(0):3:($0-0.32):($0+0.32): \
	($2 == 1 ? limit : of_init($0)):ytic(1) \
	with boxxyerror linecolor variable, \
	"" using 3:0:4:5 with xerrorbars pointtype 0 dashtype 1 linewidth 1.5 \
	linecolor rgb grey, \
	"" using 5:0:6 with labels left offset 1 textcolor rgb grey

set output plots."memory.svg"
set title "Memory of one instance in kB: resident (pale), and private (full colour)"
plot data."memory" using (0):0:(0):3:($0-0.32):($0+0.32):(of_init($0)):ytic(1) \
	with boxxyerror fillstyle solid 0.4 linecolor variable, \
	"" using (0):0:(0):4:($0-0.32):($0+0.32):(of_init($0)) \
	with boxxyerror linecolor variable, \
	"" using 3:0:5 with labels left offset 1 textcolor rgb grey

unset offsets
set border 3
set tics scale 0.5
set xtics
set grid
set key on
set yrange [0:100] noreverse

set output plots."latency.svg"
set title "Signals: the share that has arrived after a time"
set xlabel "from kill to the receiver, µs"
set ylabel "signals that have arrived, %"
set logscale x
set xrange [*:*] noextend
set xtics ()
do for [decade = 0:4] {
	do for [digit in "1 2 5"] {
		x = digit * 10**decade
		set xtics add ((x < 1000 ? sprintf("%d", x) : \
			sprintf("%d,000", x / 1000)) x)
	}
}
stats data."latency" using 1 nooutput
plot for [i = 0:STATS_blocks-1] data."latency" index i using 2:1 with lines \
	linetype (i == STATS_blocks - 1 ? limit : of_init(i)) \
	title columnheader(1)

set output plots."groups.svg"
set title "A signal to a group: time through the init, divided by that of a direct kill"
set xlabel "processes in the group"
unset ylabel
unset logscale
set xtics autofreq
set yrange [*:*]
stats data."groups" using 1 skip 1 nooutput
plot for [i = 2:STATS_columns] data."groups" using 0:i:xtic(1) \
	with linespoints linetype of_init(i-2) title columnheader(i), \
	1 linetype limit title "direct kill"
