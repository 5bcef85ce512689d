#!/usr/bin/perl
# SQL on a table stands only in the folder that creates it
# (its views and functions are the way in; rows that ship and triggers come from above)
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Lint;

my $takes_table = qr{\b(?:FROM|JOIN|INTO|UPDATE|ONLY|REFERENCES|TABLE|TRUNCATE|USING|ON)\s+(?:\@extschema\@\.)?"?(\w+)}i;
my %owner;

for my $file (files(qr{^src/\w+/\w+\.sql$}))
{
	my ($folder) = $file =~ m{^src/(\w+)/};
	$owner{$_} = $folder for slurp($file) =~ /^CREATE\s+(?:UNLOGGED\s+)?TABLE\s+(\w+)/mgi;
}

# In SQL a name of a table follows a word that takes one; in C it has the schema.
for my $file (files(qr{^src/\w+/\w+\.(?:[ch]|sql)$}))
{
	my ($folder) = $file =~ m{^src/(\w+)/};
	my $is_sql = $file =~ /\.sql$/;
	my $text = $is_sql ? without_rows_and_triggers(slurp($file)) : blank(slurp($file));
	my $mention = $is_sql ? $takes_table : qr{\@extschema\@\.(?:\\")?(\w+)};

	while ($text =~ /$mention/g)
	{
		my $owner = $owner{$1} // $folder;
		finding($file, line_of($text, $-[1]), "SQL on $1, which belongs to $owner/") if $owner ne $folder;
	}
}

# SQL with what no rule is for made blank: comments and strings, too.
sub without_rows_and_triggers
{
	my ($t) = @_;
	$t =~ s{(--[^\n]*|'(?:[^']|'')*')}{hush($1)}gse;
	$t =~ s{^(INSERT\s+INTO\s+\w+[^;]*?\bVALUES\b|CREATE\s+(?:CONSTRAINT\s+)?TRIGGER\b[^;]*)}{hush($1)}gsmie;
	return $t;
}
