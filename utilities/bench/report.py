# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The ovs-xdp authors.
"""Results as CSV, as tables in Markdown and as a plot in SVG."""

import csv
import math
from statistics import median

COLOURS = ('#888888', '#c0392b', '#2980b9', '#27ae60', '#8e44ad', '#d68910',
           '#16a085', '#2c3e50')


class Results:
    """values[load name, subject name, metric][round] and why some are missing."""

    def __init__(self):
        self.values = {}
        self.missing = {}

    def add(self, number, load, subject, metrics):
        for metric, value in metrics.items():
            self.values.setdefault((load, subject, metric), {})[number] = value

    def get(self, load, subject, metric):
        return self.values.get((load, subject, metric), {})

    def first_metric(self, load):
        for name, _, metric in self.values:
            if name == load:
                return metric
        return None

    def ratios(self, load, subject, reference):
        """To the reference subject, each in its round."""
        metric = self.first_metric(load.name)
        ours = self.get(load.name, subject.name, metric)
        theirs = self.get(load.reference, reference.name, metric)
        return [value / theirs[number] for number, value in ours.items()
                if theirs.get(number)]


def number(value):
    """Three significant digits, without an exponent."""
    if not value:
        return '0'
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f'{value:.{digits}f}'


def write_csv(path, results, loads, subjects, reference):
    with open(path, 'w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        writer.writerow(['load', 'subject', 'metric', 'rounds', 'min', 'median',
                         'max', 'ratio', 'values'])
        order = {load.name: i for i, load in enumerate(loads)}
        columns = {subject.name: i for i, subject in enumerate(subjects)}
        by_name = {load.name: load for load in loads}
        subject_of = {subject.name: subject for subject in subjects}
        for key in sorted(results.values, key=lambda k: (order[k[0]],
                                                         columns[k[1]])):
            values = list(results.values[key].values())
            ratio = ''
            if key[2] == results.first_metric(key[0]):
                ratios = results.ratios(by_name[key[0]], subject_of[key[1]],
                                        reference)
                ratio = f'{median(ratios):.4f}' if ratios else ''
            writer.writerow([*key, len(values), min(values), median(values),
                             max(values), ratio,
                             ' '.join(f'{value:.6g}' for value in values)])
        for (load, subject), reason in results.missing.items():
            writer.writerow([load, subject, 'missing', '', '', '', '', '', reason])


def cell(results, load, subject, reference):
    metric = results.first_metric(load.name)
    values = [value * load.scale for value in
              results.get(load.name, subject.name, metric).values()]
    if not values:
        return '-'
    text = f'**{number(median(values))}** ({number(min(values))}-' \
           f'{number(max(values))})'
    p99 = results.get(load.name, subject.name, 'p99_us').values()
    if p99:
        text += f', p99 {number(median(p99))}'
    ratios = results.ratios(load, subject, reference)
    if ratios and subject is not reference:
        text += f' x{number(median(ratios))}'
    return text


def write_markdown(path, results, loads, subjects, reference, about):
    with open(path, 'w', encoding='utf-8') as file:
        file.write(about + '\n\nMedian (min-max) over the rounds; xN is the ratio '
                   f'to {reference.title} in the same round.\n')
        group = None
        for load in loads:
            if not results.first_metric(load.name):
                continue
            if load.group != group:
                group = load.group
                file.write(f'\n**{group}, {load.unit}**\n\n| load | '
                           + ' | '.join(subject.title for subject in subjects)
                           + ' |\n|---' * 1 + '|---' * len(subjects) + '|\n')
            file.write(f'| {load.title} | '
                       + ' | '.join(cell(results, load, subject, reference)
                                    for subject in subjects) + ' |\n')
        write_details(file, results, loads, subjects)
        if results.missing:
            file.write('\nMissing:\n\n')
            for (load, subject), reason in sorted(results.missing.items()):
                file.write(f'* {subject}, {load}: {reason}\n')


def write_details(file, results, loads, subjects):
    """Memory, megaflows and busy CPUs."""
    lines = []
    for subject in subjects:
        heap = results.get('exact-100k', subject.name, 'heap_bytes_per_flow')
        maps = results.get('exact-100k', subject.name, 'map_bytes')
        if heap:
            lines.append(
                f'| {subject.title} | '
                f'{median(heap.values()) * 100000 / 2**20:.0f} | '
                f'{median(maps.values()) / 2**20:.0f} |')
    if lines:
        file.write('\n**Memory, MiB**\n\n| subject | daemon\'s, for each 100,000 '
                   'megaflows | BPF maps, allocated once |\n|---|---|---|\n'
                   + '\n'.join(lines) + '\n')
    lines = []
    for load in loads:
        for subject in subjects:
            busy = results.get(load.name, subject.name, 'busy_cpus')
            offered = results.get(load.name, subject.name, 'offered_pps')
            flows = results.get(load.name, subject.name, 'megaflows')
            if busy:
                lines.append(f'| {load.name} | {subject.name} | '
                             f'{number(median(busy.values()))} | '
                             f'{number(median(offered.values()) / 1e6)} | '
                             + (f'{median(flows.values()):.0f}' if flows else '-')
                             + ' |')
    if lines:
        file.write('\n<details><summary>Busy CPUs (of all that runs on the '
                   'machine), offered load, megaflows</summary>\n\n'
                   '| load | subject | busy CPUs | offered, Mpps | megaflows |\n'
                   '|---|---|---|---|---|\n' + '\n'.join(lines)
                   + '\n\n</details>\n')


def write_svg(path, results, loads, subjects, title):
    """Bars of the packet rates, on a logarithmic scale."""
    rows = []
    for load in loads:
        if load.unit != 'Mpps':
            continue
        bars = [(i, [v * load.scale for v in results.get(
                    load.name, subject.name, 'pps').values()])
                for i, subject in enumerate(subjects)]
        rows.append((load, [(i, values) for i, values in bars
                            if values and max(values) > 0]))
    rows = [row for row in rows if row[1]]
    low, high, left, width, bar = 1e-3, 30.0, 290, 560, 11

    def x(value):
        share = math.log10(max(value, low) / low) / math.log10(high / low)
        return left + width * min(share, 1)

    top = 50 + 18 * len(subjects)
    height = top + sum(len(bars) * bar + 14 for _, bars in rows) + 40
    out = ['<?xml version="1.0" encoding="UTF-8"?>',
           f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 70}" '
           f'height="{height}" font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="white"/>',
           f'<text x="10" y="22" font-size="15">{title}</text>']
    for i, subject in enumerate(subjects):
        y = 36 + 18 * i
        out.append(f'<rect x="{left}" y="{y}" width="12" height="12" '
                   f'fill="{COLOURS[i % len(COLOURS)]}"/>'
                   f'<text x="{left + 18}" y="{y + 11}">{subject.title}</text>')
    for exponent in range(-3, 2):
        at = x(10.0 ** exponent)
        out.append(f'<line x1="{at:.0f}" x2="{at:.0f}" y1="{top - 6}" '
                   f'y2="{height - 32}" stroke="#dddddd"/>'
                   f'<text x="{at:.0f}" y="{height - 16}" text-anchor="middle">'
                   f'{10.0 ** exponent:g} Mpps</text>')
    y = top
    for load, bars in rows:
        out.append(f'<text x="{left - 8}" y="{y + len(bars) * bar / 2 + 4:.0f}" '
                   f'text-anchor="end">{load.title}</text>')
        for i, values in bars:
            middle = median(values)
            out.append(
                f'<rect x="{left}" y="{y}" height="{bar - 2}" '
                f'width="{x(middle) - left:.1f}" '
                f'fill="{COLOURS[i % len(COLOURS)]}"/>'
                f'<line x1="{x(min(values)):.1f}" x2="{x(max(values)):.1f}" '
                f'y1="{y + 4}" y2="{y + 4}" stroke="black"/>'
                f'<text x="{x(max(values)) + 5:.1f}" y="{y + 9}" font-size="10">'
                f'{number(middle)}</text>')
            y += bar
        y += 14
    out.append('</svg>')
    with open(path, 'w', encoding='utf-8') as file:
        file.write('\n'.join(out) + '\n')
