import { addBusinessDays, differenceInCalendarDays, format, formatDuration, intervalToDuration, parse } from 'date-fns';
import { de } from 'date-fns/locale';

export const about = { package: 'date-fns', covers: 'dates; several hundred small ES modules' };

export function run(): unknown {
  const start = parse('2026-02-27', 'yyyy-MM-dd', new Date(0));
  const end = addBusinessDays(start, 5);
  return {
    text: format(end, 'EEEE, d. MMMM yyyy', { locale: de }),
    days: differenceInCalendarDays(end, start),
    span: formatDuration(intervalToDuration({ start, end })),
  };
}
