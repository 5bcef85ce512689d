# recreate.pl INSTALL_SCRIPT: print what is the same in all update scripts.
#
# Functions, procedures and views are created again as the install script has them,
# with their comments; rights on them stay as they are.  What makes tables, rows and
# triggers differ is for a person to write, and goes before it.

use strict;
use warnings;

my $script = do { local $/ = undef; <> };
my @statements;

# a statement ends with a semicolon at the end of a line, but within quotes or a body
while ($script =~ /\G(.*?;)[ \t]*$/gms)
{
	my $more = $1;

	if (@statements && unfinished($statements[-1])) { $statements[-1] .= $more }
	else { push @statements, $more }
}

sub unfinished
{
	my ($text) = @_;

	$text =~ s/^--.*$//gm;
	return 1 if (() = $text =~ /\$\$/g) % 2 || (() = $text =~ /'/g) % 2;
	return $text =~ /^BEGIN ATOMIC$/m && $text !~ /^END;\z/m;
}

for my $statement (@statements)
{
	my ($kind) = $statement =~ /^(CREATE (?:FUNCTION|PROCEDURE|VIEW)|COMMENT ON (?:FUNCTION|PROCEDURE|VIEW|COLUMN)) /m or next;

	$statement =~ s/\A.*?^(?=$kind )//ms;
	$statement =~ s/\ACREATE/CREATE OR REPLACE/;
	print "$statement\n";
}
